package eval

import (
	"strings"

	"github.com/flagside/flagside/document"
)

// Content is what a flag's document says, read as evaluation reads it: with the spellings that count in the flag's compatibility, and
// the last of several members of one name. It is for comparing documents and for deciding who may change them. The slices are shared
// and must not be modified.
type Content struct {
	Enabled        bool
	Variants       map[string][]byte // values as JSON
	DefaultVariant string            // empty: the application's own default
	OffVariant     string            // empty: the default variant
	Targeting      []byte            // the rule as JSON; nil if there is none
	Prerequisites  []Prerequisite
	Salt           string // empty: the flag's key
	Labels         Labels
}

// Prerequisite is a flag that must answer one of some variants.
type Prerequisite struct {
	Flag     string
	Variants []string
}

// Labels are what a flag's document says for people and policies. No answer depends on them. CompatibilityFlagd takes every document
// that flagd takes, so there they may be of any spelling and type.
type Labels struct {
	Tags        []string // in the order of the document, those of every member that is spelled like it
	Owner, Kind string
	// Unreadable tells that a label has another type than it must have. What it was meant to say is not known.
	Unreadable bool
}

// Content reads the document that the flag was compiled from. It costs as much as parsing it.
func (f *Flag) Content() Content {
	src, problem := parseDocument(document.Document{Kind: document.KindFlag, Key: f.key, Body: f.document})
	if problem != nil || src.root.kind != kindObject {
		return Content{Labels: Labels{Unreadable: f.broken}}
	}
	r := &definitionReader{compatibility: f.compatibility, source: src.source, report: func(*syntax, Problem) {}}
	d := r.read(&src.root)
	c := Content{
		Enabled:    !d.disabled,
		Variants:   make(map[string][]byte, len(d.variants)),
		OffVariant: variantName(d.offVariant),
		Salt:       d.salt,
		Labels:     readLabels(&src.root, f.compatibility),
	}
	c.DefaultVariant = variantName(d.defaultVariant)
	for _, v := range d.variants {
		c.Variants[v.name] = v.encoded
	}
	if d.targeting != nil {
		c.Targeting = d.targeting.raw(src.source)
	}
	for _, p := range d.prerequisites {
		c.Prerequisites = append(c.Prerequisites, Prerequisite{Flag: p.flag, Variants: p.variants})
	}
	return c
}

func variantName(v *Variant) string {
	if v == nil {
		return ""
	}
	return v.name
}

// readLabels reads the labels of a flag object.
func readLabels(root *syntax, c Compatibility) (l Labels) {
	for i, name := range root.names {
		if c == CompatibilityFlagd {
			name = labelName(name)
		}
		l.read(name, &root.items[i])
	}
	return l
}

// labelName returns the name of a label for every spelling of it.
func labelName(name string) string {
	for _, known := range []string{"tags", "owner", "kind"} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return name
}

func (l *Labels) read(name string, s *syntax) {
	switch name {
	case "tags":
		if s.kind != kindArray || !allStrings(s.items) {
			l.Unreadable = true
		}
		for i := range s.items {
			if s.items[i].kind == kindString {
				l.Tags = append(l.Tags, s.items[i].text)
			}
		}
	case "owner":
		l.Owner = l.text(s)
	case "kind":
		l.Kind = l.text(s)
	}
}

func (l *Labels) text(s *syntax) string {
	if s.kind != kindString {
		l.Unreadable = true
	}
	return s.text
}

// Dependencies returns what a document depends on, in order: a flag on its prerequisites and on all segments that its rule uses, also
// through others, a segment on all segments that it uses. Those of the newest document and of the version that stands in its place are
// both among them. Nothing is returned of a document that does not exist. Only Kind and Key are set.
func (r *Ruleset) Dependencies(k document.Kind, key string) []document.Document {
	var found []document.Document
	if f := r.flags.get(key); k == document.KindFlag && f != nil {
		for _, id := range f.requires {
			kind, key, _ := strings.Cut(id, ":")
			found = append(found, document.Document{Kind: document.Kind(kind), Key: key})
		}
	}
	if s := r.segments[key]; k == document.KindSegment && s != nil {
		for _, name := range s.segments {
			found = append(found, document.Document{Kind: document.KindSegment, Key: name})
		}
	}
	return found
}
