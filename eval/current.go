package eval

import "slices"

// Current reports whether the newest document of the flag is in use, with the newest of everything that it depends on. If not, an older
// version stands in its place, or none ever could be used.
func (f *Flag) Current() bool { return f.rejected == nil && !f.broken }

// SegmentDocument returns the body of a segment without its owner, and whether it is the newest one, as are those of the segments that it refers to; nil if
// there is no segment of that name that can be used. The slice is shared and must not be modified.
func (r *Ruleset) SegmentDocument(name string) (body []byte, current bool) {
	s := r.segments[name]
	if s == nil || s.rule == nil {
		return nil, false
	}
	current = s.rejected == nil && !slices.ContainsFunc(s.segments, func(used string) bool {
		other := r.segments[used]
		return other == nil || other.rejected != nil
	})
	if s.plain != nil {
		return s.plain, current
	}
	return s.document.Body, current
}
