package eval

import "iter"

// Difference returns the flags in which r differs from another Ruleset, in key order, each as it was there and as it is in r: before is
// nil for a flag that was added, after for one that was removed. A flag differs when it was compiled again, because it or something
// that it depends on changed, so all answers of a flag that is not among them are the same in both. Nil is an empty Ruleset.
//
// Between a Ruleset and one that Update made of it the cost is in proportion to what changed, plus a small part per flag.
func (r *Ruleset) Difference(other *Ruleset) iter.Seq2[*Flag, *Flag] {
	return func(yield func(before, after *Flag) bool) {
		r.Finish()
		if other != nil {
			other.Finish()
		}
		old, now := flagCursor{}, flagCursor{chunks: r.flags.chunks}
		if other != nil {
			old.chunks = other.flags.chunks
		}
		for old.flag() != nil || now.flag() != nil {
			if sameFlags(old.rest(), now.rest()) {
				old.skip()
				now.skip()
				continue
			}
			before, after := firstOf(old.flag(), now.flag())
			if before != nil {
				old.next()
			}
			if after != nil {
				now.next()
			}
			if before != after && !yield(before, after) {
				return
			}
		}
	}
}

// firstOf returns the one of two flags with the lower key, in its place, and both if they have one key.
func firstOf(before, after *Flag) (*Flag, *Flag) {
	switch {
	case before == nil || after == nil || before.key == after.key:
		return before, after
	case before.key < after.key:
		return before, nil
	default:
		return nil, after
	}
}

// sameFlags reports whether two chunks, or the rests of them, are one in memory: an update shares what it does not change.
func sameFlags(a, b []*Flag) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// flagCursor goes through ordered chunks, none of which is empty.
type flagCursor struct {
	chunks [][]*Flag
	at     int // in the first chunk
}

// flag returns the flag that the cursor stands at, nil at the end.
func (c *flagCursor) flag() *Flag {
	if len(c.chunks) == 0 {
		return nil
	}
	return c.chunks[0][c.at]
}

// rest returns what is left of the chunk.
func (c *flagCursor) rest() []*Flag {
	if len(c.chunks) == 0 {
		return nil
	}
	return c.chunks[0][c.at:]
}

func (c *flagCursor) next() {
	if c.at++; c.at == len(c.chunks[0]) {
		c.skip()
	}
}

// skip leaves the rest of the chunk out.
func (c *flagCursor) skip() { c.chunks, c.at = c.chunks[1:], 0 }
