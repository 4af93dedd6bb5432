package eval

import (
	"slices"

	"github.com/flagside/flagside/document"
)

// References returns what the version of the flag that is in use refers to, in order: its prerequisites and all segments that its rule
// uses, also through others. The slice is shared and must not be modified.
func (f *Flag) References() []document.ID { return f.uses }

// Dependencies returns what a document depends on, in order: a flag on its prerequisites and on all segments that its rule uses, also
// through others, a segment on all segments that it uses. Those of the newest document and of the version that stands in its place are
// both among them. Nothing is returned of a document that does not exist. The slice must not be modified.
func (r *Ruleset) Dependencies(id document.ID) []document.ID {
	r.Finish()
	if f := r.flags.get(id.Key); id.Kind == document.KindFlag && f != nil {
		return f.requires()
	}
	s := r.segments[id.Key]
	if id.Kind != document.KindSegment || s == nil {
		return nil
	}
	ids := make([]document.ID, len(s.segments))
	for i, name := range s.segments {
		ids[i] = segmentID(name)
	}
	return ids
}

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

func segmentID(name string) document.ID { return document.ID{Kind: document.KindSegment, Key: name} }

// compactIDs returns ids in order and without repetitions.
func compactIDs(ids []document.ID) []document.ID {
	slices.SortFunc(ids, document.ID.Compare)
	return slices.Clip(slices.Compact(ids))
}
