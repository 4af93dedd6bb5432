package eval

// Kind says what a document defines. Its values are those of the change log.
type Kind string

// The kinds of documents.
const (
	KindFlag     Kind = "flag"
	KindSegment  Kind = "segment"
	KindSettings Kind = "settings"
)

// SettingsKey is the key of the one settings document of an environment.
const SettingsKey = "environment"

// Compatibility says whose strictness an environment follows. Its zero value is the default, strict mode.
type Compatibility string

// CompatibilityFlagd makes the package accept and answer exactly what the flagd daemon accepts and answers.
const CompatibilityFlagd Compatibility = "flagd"

// Document is one flag, segment or settings document.
type Document struct {
	// Kind says what the document defines.
	Kind Kind
	// Key names the document within its kind.
	Key string
	// Revision is the position of the change that wrote the document; 0 if it was not written yet.
	Revision uint64
	// Body is compact JSON: the flag object, the rule of a segment, or the settings object
	// {"metadata":{...},"compatibility":"flagd"}. A nil Body given to Ruleset.Update removes the document.
	// The Ruleset keeps the slice; the caller must not modify it afterwards.
	Body []byte
}
