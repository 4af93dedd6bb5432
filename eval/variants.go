package eval

import (
	"cmp"
	"slices"
	"strings"
)

// variants are the variants of a flag in order of their names. Most flags have a few, for which this is smaller and faster than a map.
type variants []*Variant

func newVariants(list []*Variant) variants {
	ordered := slices.Clone(list)
	slices.SortFunc(ordered, func(a, b *Variant) int { return cmp.Compare(a.name, b.name) })
	for i, v := range ordered {
		v.index = i
	}
	return ordered
}

// named returns the variant with a name, or nil.
func (v variants) named(name string) *Variant {
	for len(v) > 0 {
		middle := len(v) / 2
		switch order := strings.Compare(name, v[middle].name); {
		case order == 0:
			return v[middle]
		case order < 0:
			v = v[:middle]
		default:
			v = v[middle+1:]
		}
	}
	return nil
}

// names lists the names for people.
func (v variants) names() string {
	names := make([]string, len(v))
	for i := range v {
		names[i] = v[i].name
	}
	return strings.Join(names, ", ")
}
