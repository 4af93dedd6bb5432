package eval

import (
	"cmp"
	"slices"
	"strings"
)

// variants are the variants of a flag in order of their names. Most flags have a few, for which this is smaller and faster than a map.
type variants []*Variant

// variantList is the variants of a document, which flags with the same text share.
type variantList struct {
	given   []*Variant // in the order of the document
	ordered variants   // once all are added
	byName  map[string]int
}

// add adds a variant. The last of duplicate names wins.
func (l *variantList) add(v *Variant) {
	if at, again := l.byName[v.name]; again {
		l.given[at] = v
		return
	}
	if l.byName == nil {
		l.byName = make(map[string]int)
	}
	l.byName[v.name] = len(l.given)
	l.given = append(l.given, v)
}

// order ends the list.
func (l *variantList) order() {
	l.byName = nil
	l.ordered = slices.Clone(l.given)
	slices.SortFunc(l.ordered, func(a, b *Variant) int { return cmp.Compare(a.name, b.name) })
	for i, v := range l.ordered {
		v.index = i
	}
}

// sharedText is how long the variants of a document may be, in bytes, to be shared with others: longer ones are rarely the same.
const sharedText = 128

// mostShared is how many different lists are kept for that.
const mostShared = 1 << 10

// shareVariants lets the next documents whose variants have this text share them.
func (r *parser) shareVariants(text []byte, l *variantList) {
	if len(text) > sharedText || len(r.variants) >= mostShared {
		return
	}
	for _, v := range l.given { // they outlive the document
		v.name, v.encoded = strings.Clone(v.name), slices.Clone(v.encoded)
	}
	if r.variants == nil {
		r.variants = make(map[string]*variantList)
	}
	r.variants[string(text)] = l
}

// fewVariants is up to how many variants it is quicker to look at one after the other: most names differ in length already.
const fewVariants = 8

// named returns the variant with a name, or nil.
func (v variants) named(name string) *Variant {
	if len(v) <= fewVariants {
		for _, one := range v {
			if one.name == name {
				return one
			}
		}
		return nil
	}
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
