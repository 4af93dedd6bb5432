package eval

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// declaration is what a flag's document says, as far as evaluation does not need it in another form.
type declaration struct {
	prerequisites []Prerequisite
	targeting     span
	description   span // of the JSON string
	labels        *labels
}

// Prerequisite is a flag that must answer one of some variants.
type Prerequisite struct {
	Flag     string
	Variants []string
}

// span is a part of a document, from one offset up to but not including another. The zero value is none.
type span struct{ start, end uint32 }

func (s *syntax) span() span { return span{uint32(s.start), uint32(s.end)} }

// part returns a part of the document, nil for none.
func (f *Flag) part(s span) []byte {
	if s.end == 0 {
		return nil
	}
	return f.document[s.start:s.end:s.end]
}

// declared returns what a document says, of which the reader has made d. The parser shares what is equal in many documents.
func (r *parser) declared(d *definition) declaration {
	what := declaration{labels: r.sharedLabels(d.labels)}
	if d.targeting != nil {
		what.targeting = d.targeting.span()
	}
	if d.description != nil && d.description.kind == kindString {
		what.description = d.description.span()
	}
	for _, p := range d.prerequisites {
		what.prerequisites = append(what.prerequisites, p.Prerequisite)
	}
	return what
}

// Usable reports whether some version of the document could be compiled. If none could, every answer of the flag is a PARSE_ERROR, and its
// methods tell what the newest document says as far as it can be read.
func (f *Flag) Usable() bool { return !f.broken }

// Enabled reports whether the document turns the flag on.
func (f *Flag) Enabled() bool { return f.enabled }

// Variants returns the variants in order of their names. The slice is shared and must not be modified.
func (f *Flag) Variants() []*Variant { return f.variants }

// Variant returns the variant of a name, or nil.
func (f *Flag) Variant(name string) *Variant { return f.variants.named(name) }

// DefaultVariant returns the variant that the document names as the default, or nil if the caller's own default applies.
func (f *Flag) DefaultVariant() *Variant { return f.defaultVariant }

// OffVariant returns the variant that the flag answers when a prerequisite is not met, or nil if that is the default.
func (f *Flag) OffVariant() *Variant { return f.offVariant }

// Salt returns what distributions hash before the targeting key: the salt of the document, or the flag's key.
func (f *Flag) Salt() string { return f.salt }

// Targeting returns the rule as the document has it, or nil if there is none. The slice is shared and must not be modified.
func (f *Flag) Targeting() []byte { return f.part(f.declared.targeting) }

// Prerequisites returns the prerequisites in the order of the document, also of a flag that is not enabled. The slice is shared and must
// not be modified.
func (f *Flag) Prerequisites() []Prerequisite { return f.declared.prerequisites }

// Description returns what the document says for people about the flag, empty if it says nothing. It allocates.
func (f *Flag) Description() string {
	text, _ := jsontext.AppendUnquote(nil, f.part(f.declared.description)) // it was parsed; what is not UTF-8 is replaced
	return string(text)
}

// Owner returns the team or person that is responsible for the flag, empty if the document names none.
func (f *Flag) Owner() string { return f.declared.labels.owner }

// Kind returns what the flag is for: release, experiment, ops or permission. It is empty if the document does not say, and may be any
// text with CompatibilityFlagd.
func (f *Flag) Kind() string { return f.declared.labels.kind }

// Tags returns the tags in the order of the document. The slice is shared and must not be modified.
func (f *Flag) Tags() []string { return f.declared.labels.tags }

// Expires returns the time from which on the flag should be gone, which for a date is its end in UTC; zero if the document does not say.
// No answer depends on it.
func (f *Flag) Expires() time.Time { return f.declared.labels.expires }

// InvalidLabels reports whether tags, owner or kind have another type than they must have, or cannot be read at all. What they were meant to
// say is not known.
func (f *Flag) InvalidLabels() bool { return f.declared.labels.mistyped }
