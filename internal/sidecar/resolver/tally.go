package resolver

import "github.com/flagside/flagside/eval"

// kind is what an evaluation is counted as: by its reason, or by its error code.
type kind uint8

// The number of reasons and codes that are told apart.
const (
	reasonKinds = 9
	kinds       = reasonKinds + 7
)

// reasons lists every reason that an evaluation can have. The place of each is its kind.
func reasons() [reasonKinds]eval.Reason {
	return [...]eval.Reason{
		eval.ReasonUnknown, eval.ReasonStatic, eval.ReasonDefault, eval.ReasonTargetingMatch, eval.ReasonSplit, eval.ReasonDisabled,
		eval.ReasonCached, eval.ReasonStale, eval.ReasonError,
	}
}

// codes lists every error code that an evaluation can have. Their kinds follow those of the reasons.
func codes() [kinds - reasonKinds]eval.ErrorCode {
	return [...]eval.ErrorCode{
		eval.ErrorGeneral, eval.ErrorProviderNotReady, eval.ErrorFlagNotFound, eval.ErrorParse, eval.ErrorTypeMismatch,
		eval.ErrorTargetingKeyMissing, eval.ErrorInvalidContext,
	}
}

// kindOf returns what a result is counted as. A reason that is not listed counts as unknown, a code that is not listed as general.
func kindOf(r *eval.Result) kind {
	if r.ErrorCode != "" {
		return kindOfCode(r.ErrorCode)
	}
	for i, reason := range reasons() {
		if reason == r.Reason {
			return kind(i)
		}
	}
	return 0
}

func kindOfCode(code eval.ErrorCode) kind {
	for i, listed := range codes() {
		if listed == code {
			return kind(reasonKinds + i)
		}
	}
	return reasonKinds
}

// tally is how many evaluations of each kind there were.
type tally [kinds]uint32
