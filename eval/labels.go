package eval

import (
	"strings"
	"time"
)

// labels are what a flag's document says for people and policies. No answer depends on them. CompatibilityFlagd takes every document that
// flagd takes, so there they may be of any spelling and type.
type labels struct {
	tags        []string // in the order of the document, those of every member that is spelled like it
	owner, kind string
	expires     time.Time // zero: never
	mistyped    bool      // tags, owner or kind have another type than they must have
}

// kindOps is the kind of flags that switch something off in an emergency.
const kindOps = "ops"

// readLabels reads the labels of a flag object.
func readLabels(root *syntax, c Compatibility) (l labels) {
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
	for _, known := range []string{"tags", "owner", "kind", "expires"} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return name
}

func (l *labels) read(name string, s *syntax) {
	switch name {
	case "tags":
		if s.kind != kindArray || !allStrings(s.items) {
			l.mistyped = true
		}
		for i := range s.items {
			if s.items[i].kind == kindString {
				l.tags = append(l.tags, s.items[i].text)
			}
		}
	case "owner":
		l.owner = l.text(s)
	case "kind":
		l.kind = l.text(s)
	case "expires":
		l.expires, _ = expiry(s)
	}
}

func (l *labels) text(s *syntax) string {
	if s.kind != kindString {
		l.mistyped = true
	}
	return s.text
}

// expiry returns the time that a date, which lasts to its end in UTC, or a time means.
func expiry(s *syntax) (at time.Time, ok bool) {
	if s.kind != kindString {
		return time.Time{}, false
	}
	if day, err := time.Parse(time.DateOnly, s.text); err == nil {
		return day.AddDate(0, 0, 1), true
	}
	at, err := time.Parse(time.RFC3339, s.text)
	return at.UTC(), err == nil
}

// labelsKey is the same for equal labels.
type labelsKey struct {
	tags, owner, kind string
	expires           time.Time
	mistyped          bool
}

// sharedLabels returns the same pointer for equal labels: most flags of an environment have those of many others.
func (r *parser) sharedLabels(l labels) *labels {
	const between = "\xff" // which no text of a document has
	key := labelsKey{strings.Join(l.tags, between), l.owner, l.kind, l.expires, l.mistyped}
	if known := r.labels[key]; known != nil {
		return known
	}
	if r.labels == nil {
		r.labels = make(map[labelsKey]*labels)
	}
	kept := l // without a part of the document, which it may outlive
	kept.owner, kept.kind, kept.tags = strings.Clone(l.owner), strings.Clone(l.kind), exact(l.tags)
	for i, tag := range kept.tags {
		kept.tags[i] = strings.Clone(tag)
	}
	key.owner, key.kind = kept.owner, kept.kind
	r.labels[key] = &kept
	return &kept
}
