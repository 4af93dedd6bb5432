package eval

import "time"

// Reason says why an evaluation gave its answer. The values are OpenFeature's.
type Reason string

// The reasons.
const (
	ReasonStatic         Reason = "STATIC"
	ReasonDefault        Reason = "DEFAULT"
	ReasonTargetingMatch Reason = "TARGETING_MATCH"
	ReasonSplit          Reason = "SPLIT"
	ReasonDisabled       Reason = "DISABLED"
	ReasonCached         Reason = "CACHED"
	ReasonStale          Reason = "STALE"
	ReasonUnknown        Reason = "UNKNOWN"
	ReasonError          Reason = "ERROR"
)

// ErrorCode says what kind of error an evaluation met. The values are OpenFeature's; the empty code means no error.
type ErrorCode string

// The error codes.
const (
	ErrorProviderNotReady    ErrorCode = "PROVIDER_NOT_READY"
	ErrorFlagNotFound        ErrorCode = "FLAG_NOT_FOUND"
	ErrorParse               ErrorCode = "PARSE_ERROR"
	ErrorTypeMismatch        ErrorCode = "TYPE_MISMATCH"
	ErrorTargetingKeyMissing ErrorCode = "TARGETING_KEY_MISSING"
	ErrorInvalidContext      ErrorCode = "INVALID_CONTEXT"
	ErrorGeneral             ErrorCode = "GENERAL"
)

// Result is the outcome of one evaluation.
type Result struct {
	// Flag is the evaluated flag; nil only in a Result that no Flag made.
	Flag *Flag
	// Variant is the answer. When it is nil and ErrorCode is empty, the caller's own default applies (code default).
	Variant *Variant
	// Reason says why this is the answer; ReasonError if and only if ErrorCode is set.
	Reason Reason
	// ErrorCode is empty unless the evaluation failed.
	ErrorCode ErrorCode
	// Detail is one sentence about an error, empty otherwise. It never contains values of the evaluation context.
	Detail string
	// Metadata is the JSON object to answer with, never nil. It is shared and must not be modified.
	Metadata []byte
	// TimeDependent says that the answer may change with the clock alone: not before ValidUntil or, if that is zero, at any moment.
	TimeDependent bool
	// ValidUntil is the first second at which a time-dependent answer may change. It is zero if that is not known, and for answers that
	// do not depend on the time.
	ValidUntil time.Time
	// ClockRead says that the time had a part in the answer, even if the answer cannot change any more unless a clock is set back. Without
	// it the answer is the same at any time.
	ClockRead bool
	// Rule says which result of the flag's targeting the evaluation took, if that is one "if": 1 is the result of its first condition, 2 that of
	// its second, and so on, up to the result for all other cases. It is 0 if no such choice was made.
	Rule uint16
}

// Value returns the answer as compact JSON, or nil if the result carries none. The slice is shared and must not be modified.
func (r Result) Value() []byte {
	if r.Variant == nil {
		return nil
	}
	return r.Variant.encoded
}

// Variant is one of the values that a flag can have.
type Variant struct {
	name        string
	nameEncoded []byte
	encoded     []byte
	index       int
	null        bool // the value is null, which only CompatibilityFlagd loads and which answers an error
}

// Index returns the place of the variant among those of its flag, by name; 0 is the first.
func (v *Variant) Index() int { return v.index }

// Name returns the variant's name.
func (v *Variant) Name() string { return v.name }

// NameEncoded returns the variant's name as a JSON string. The slice is shared and must not be modified.
func (v *Variant) NameEncoded() []byte { return v.nameEncoded }

// Encoded returns the variant's value as compact JSON. The slice is shared and must not be modified.
func (v *Variant) Encoded() []byte { return v.encoded }
