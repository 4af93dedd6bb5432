package usage

import "github.com/flagside/flagside/eval"

// Outcome is how an evaluation ended: its reason, or its error code.
type Outcome uint8

// How many reasons and error codes are told apart.
const (
	ReasonCount = 9
	CodeCount   = 7
	// OutcomeCount is how many outcomes there are: first those of Reasons, then those of Codes.
	OutcomeCount = ReasonCount + CodeCount
)

// Reasons lists every reason that an evaluation can have. The place of each is its outcome.
func Reasons() [ReasonCount]eval.Reason {
	return [...]eval.Reason{
		eval.ReasonUnknown, eval.ReasonStatic, eval.ReasonDefault, eval.ReasonTargetingMatch, eval.ReasonSplit, eval.ReasonDisabled,
		eval.ReasonCached, eval.ReasonStale, eval.ReasonError,
	}
}

// Codes lists every error code that an evaluation can have. Their outcomes follow those of the reasons.
func Codes() [CodeCount]eval.ErrorCode {
	return [...]eval.ErrorCode{
		eval.ErrorGeneral, eval.ErrorProviderNotReady, eval.ErrorFlagNotFound, eval.ErrorParse, eval.ErrorTypeMismatch,
		eval.ErrorTargetingKeyMissing, eval.ErrorInvalidContext,
	}
}

// OutcomeOf returns how a result ended. A reason that is not listed is the unknown one, a code that is not listed the general one.
func OutcomeOf(r *eval.Result) Outcome {
	if r.ErrorCode != "" {
		return OutcomeOfCode(r.ErrorCode)
	}
	for i, reason := range Reasons() {
		if reason == r.Reason {
			return Outcome(i)
		}
	}
	return 0
}

// OutcomeOfCode returns the outcome of an error code.
func OutcomeOfCode(code eval.ErrorCode) Outcome {
	for i, listed := range Codes() {
		if listed == code {
			return Outcome(ReasonCount + i)
		}
	}
	return ReasonCount
}

// Failed reports whether the outcome is that of an error code.
func (o Outcome) Failed() bool { return o >= ReasonCount }

// Reason returns the reason of the outcome, and its error code if it has one.
func (o Outcome) Reason() (reason eval.Reason, code eval.ErrorCode) {
	if o.Failed() {
		return eval.ReasonError, Codes()[o-ReasonCount]
	}
	return Reasons()[o], ""
}
