package api

import (
	"encoding/json"
	"time"
)

// MaxEvaluations is how many answers one request has at most: contexts times flags. With explanations it is MaxExplanations.
const (
	MaxEvaluations  = 1000
	MaxExplanations = 50
)

// Evaluate asks what flags answer.
type Evaluate struct {
	_ struct{} `additionalProperties:"false"`

	Contexts []json.RawMessage `json:"contexts" nullable:"false" minItems:"1" maxItems:"100" doc:"Evaluation contexts, each a JSON object such as {\"targetingKey\":\"u1\"}. They are neither kept nor logged."`
	Flags    []string          `json:"flags,omitempty" nullable:"false" maxItems:"1000" doc:"The keys of the flags; absent is all. Contexts times flags are 1000 at most, with explain 50."`
	Explain  bool              `json:"explain,omitzero" doc:"Tell step by step how each answer came about."`
}

// Evaluations are what flags answer.
type Evaluations struct {
	Revision string       `json:"revision" doc:"The revision of the environment that was evaluated."`
	Items    []Evaluation `json:"items" nullable:"false" doc:"The answers, those in the first context first, in the order of the flags, or by key."`
}

// Evaluation is what a flag answers in a context: what a sidecar answers that serves the revision and knows that it is the newest.
type Evaluation struct {
	Context       int             `json:"context" doc:"Which of the contexts; 0 is the first."`
	Flag          string          `json:"flag"`
	Reason        string          `json:"reason" example:"TARGETING_MATCH"`
	Variant       string          `json:"variant,omitempty" doc:"Absent if the default of the application applies."`
	Value         json.RawMessage `json:"value,omitempty" doc:"Absent if the default of the application applies."`
	ErrorCode     string          `json:"errorCode,omitempty" example:"FLAG_NOT_FOUND"`
	ErrorDetails  string          `json:"errorDetails,omitempty"`
	Rule          int             `json:"rule,omitzero" doc:"Which result of the rule was taken, if that is one if: 1 is that of its first condition, and the last is what is left for everyone else. Absent if no such choice was made."`
	TimeDependent bool            `json:"timeDependent,omitzero" doc:"Whether the answer may change with the clock alone."`
	ValidUntil    time.Time       `json:"validUntil,omitzero" doc:"When it may change first, if that is known."`
	Explanation   json.RawMessage `json:"explanation,omitempty" doc:"How the answer came about: prerequisites, and the steps of the rule. It has values of the context."`
}
