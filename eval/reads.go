package eval

import "math"

// Attributes is a set of attributes of an evaluation context that rules read. It may hold more than it was made of, never less: attributes share
// its 64 members.
type Attributes uint64

func attributeOf(slot int) Attributes { return 1 << (uint(slot) % 64) }

// Reads returns the attributes on which the result of the last evaluation with c depended. Evaluations of the same flag give the same result in every
// context that has the same values for them, unless the clock had a part in it, see Result.ClockRead. The clock has a part in what a rule makes of
// the context as a whole, because the time is a member of that.
func (c *Context) Reads() Attributes { return c.reads }

// Differences returns the attributes whose values are not the same in c and in another context that was decoded for the same Ruleset. Lists and objects are
// never the same.
func (c *Context) Differences(other *Context) Attributes {
	if len(c.slots) != len(other.slots) {
		return math.MaxUint64
	}
	var all Attributes
	for i := range c.slots {
		if !c.slots[i].same(other.slots[i]) {
			all |= attributeOf(i)
		}
	}
	return all
}

// same reports whether nothing tells the values apart.
func (v value) same(w value) bool {
	return v.kind == w.kind && math.Float64bits(v.num) == math.Float64bits(w.num) && v.str == w.str && v.ref == nil && w.ref == nil
}
