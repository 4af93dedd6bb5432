package following

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flagside/flagside/internal/publisher/control/decide"
)

// problem is why a source is in a state.
type problem struct {
	state  State
	detail string
}

// Error returns the detail.
func (p *problem) Error() string { return p.detail }

// failed returns the status after an error.
func (w *work) failed(err error) Status {
	now := Status{State: Delayed, Detail: err.Error()}
	if p, ok := errors.AsType[*problem](err); ok {
		now.State = p.state
	} else if refusal, ok := errors.AsType[*decide.Refusal](err); ok {
		now.State, now.Detail = w.refused(refusal)
	}
	return w.known(now)
}

// refused returns the state of a source whose change was refused, and why.
func (w *work) refused(r *decide.Refusal) (State, string) {
	switch r.Cause {
	case decide.CauseForbidden, decide.CauseReadOnly, decide.CauseTooMany:
		detail := r.Detail
		if r.Action != nil && len(r.Action.Policies) > 0 {
			detail = fmt.Sprintf("%s Policies: %s.", detail, strings.Join(r.Action.Policies, ", "))
		}
		return Refused, detail
	case decide.CauseInvalid, decide.CauseInUse, decide.CauseEntangled, decide.CauseMalformed, decide.CauseTooLarge:
		if w.outcome.problems = r.Problems; w.outcome.version == nil {
			return Broken, r.Error()
		}
		return Broken, strings.Join(w.outcome.version.Explain(r.Detail, r.Problems), "\n")
	default:
		return Delayed, r.Error()
	}
}

func isRefused(err error, cause decide.Cause) bool {
	refusal, ok := errors.AsType[*decide.Refusal](err)
	return ok && refusal.Cause == cause
}

func needsApproval(err error) bool { return isRefused(err, decide.CauseApprovalRequired) }
