package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/internal/publisher/usage/folding"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// problemOf returns what to answer to an error of a command or a read. An error that no one foresaw is logged, because its text is for
// operators.
func problemOf(err error, logger zerolog.Logger) *problem {
	if refusal, ok := errors.AsType[*decide.Refusal](err); ok {
		return refused(refusal)
	}
	if undecided, ok := errors.AsType[*control.Undecided](err); ok {
		p := newProblem(http.StatusServiceUnavailable, api.ProblemUndecided,
			"It is not decided yet whether the change is in the log: ask for the operation with this op-id before you repeat it.").later()
		p.OpID = undecided.OpID
		return p.because(undecided.Cause)
	}
	for _, known := range knownErrors() {
		if errors.Is(err, known.err) {
			p := newProblem(known.status, api.ProblemType+known.kind, err.Error())
			if known.status == http.StatusServiceUnavailable {
				return p.later()
			}
			return p
		}
	}
	logger.Error().Err(err).Msg("request failed unexpectedly")
	return newProblem(http.StatusInternalServerError, api.ProblemInternal, "Something failed that should not: the publisher's log says what.")
}

// because adds to the detail why, if that is known.
func (p *problem) because(cause error) *problem {
	if cause != nil {
		p.Detail += " The cause: " + cause.Error() + "."
	}
	return p
}

type knownError struct {
	err    error
	status int
	kind   string
}

func knownErrors() []knownError {
	return []knownError{
		{access.ErrPeopleUnavailable, http.StatusServiceUnavailable, "people-unavailable"}, // first: it wraps others
		{flagsync.ErrDiskFull, http.StatusServiceUnavailable, "disk-full"},                 // before what else it may be wrapped with
		{flagsync.ErrEnvironmentUnknown, http.StatusNotFound, "environment-unknown"},
		{errRevisionUnknown, http.StatusNotFound, "not-found"},
		{writer.ErrNotStored, http.StatusNotFound, "not-stored"},
		{writer.ErrEnvironmentExists, http.StatusConflict, "environment-exists"},
		{writer.ErrEnvironmentArchived, http.StatusGone, "environment-archived"},
		{writer.ErrEnvironmentDestroyed, http.StatusGone, "environment-destroyed"},
		{flagsync.ErrEnvironmentName, http.StatusUnprocessableEntity, "environment-name"},
		{flagsync.ErrStreamLost, http.StatusServiceUnavailable, "stream-lost"},
		{changelog.ErrUnreadable, http.StatusServiceUnavailable, "entry-unreadable"},
		{changelog.ErrVersion, http.StatusServiceUnavailable, "entry-unreadable"},
		{flagsync.ErrStreamMismatch, http.StatusServiceUnavailable, "stream-mismatch"},
		{writer.ErrForeignMessages, http.StatusServiceUnavailable, "foreign-messages"},
		{writer.ErrKeyRetired, http.StatusServiceUnavailable, "signing-key-retired"},
		{writer.ErrDifferentState, http.StatusServiceUnavailable, "different-state"},
		{writer.ErrEnvironmentForgotten, http.StatusConflict, "environment-forgotten"},
		{writer.ErrLedgerWhole, http.StatusConflict, "journal-whole"},
		{writer.ErrDamaged, http.StatusServiceUnavailable, "journal-damaged"},
		{writer.ErrLedgerCut, http.StatusServiceUnavailable, "journal-cut"},
		{flagsync.ErrUnreachable, http.StatusServiceUnavailable, "log-unreachable"},
		{control.ErrNotReady, http.StatusServiceUnavailable, "not-ready"},
		{folding.ErrNotRead, http.StatusServiceUnavailable, "not-ready"},
		{control.ErrUnconfirmed, http.StatusServiceUnavailable, "unconfirmed"},
		{control.ErrContended, http.StatusServiceUnavailable, "contended"},
		{control.ErrUnwritable, http.StatusServiceUnavailable, "unwritable"},
		{access.ErrNotReady, http.StatusServiceUnavailable, "not-ready"},
		{access.ErrPersonUnknown, http.StatusNotFound, "not-found"},
		{session.ErrUnknown, http.StatusNotFound, "not-found"},
		{session.ErrUnavailable, http.StatusServiceUnavailable, "sessions-unavailable"},
		{access.ErrTokenUnknown, http.StatusNotFound, "not-found"},
		{access.ErrActsNotReady, http.StatusServiceUnavailable, "not-ready"},
		{access.ErrActUnknown, http.StatusNotFound, "not-found"},
		{access.ErrNoReview, http.StatusConflict, string(decide.CauseNotOpen)},
		{access.ErrOwnAct, http.StatusForbidden, string(decide.CauseForbidden)},
		{access.ErrInvalidToken, http.StatusUnprocessableEntity, "token"},
		{writer.ErrConflict, http.StatusServiceUnavailable, "contended"},
		{writer.ErrUndecided, http.StatusServiceUnavailable, "unwritable"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout"},
		{context.Canceled, http.StatusServiceUnavailable, "stopping"},
	}
}

// refused returns the problem of a refused command.
func refused(r *decide.Refusal) *problem {
	p := newProblem(refusedStatus(r.Cause), api.ProblemType+string(r.Cause), r.Detail)
	p.Errors = places(r.Problems)
	if r.Current.Revision != 0 {
		p.Current = r.Current.String()
	}
	p.Request, p.Moved, p.Approvals = r.Request, newBases(r.Moved), r.Approvals
	if r.Action != nil {
		p.Action, p.Policies, p.Risk = string(r.Action.Action), r.Action.Policies, newRisk(r.Risk)
	}
	return p
}

func refusedStatus(c decide.Cause) int {
	switch c {
	case decide.CauseMalformed:
		return http.StatusBadRequest
	case decide.CauseTooLarge:
		return http.StatusRequestEntityTooLarge
	case decide.CauseInUse, decide.CauseNotKnown, decide.CauseStale, decide.CauseNotOpen, decide.CauseTooMany, decide.CauseSourceOwned:
		return http.StatusConflict
	case decide.CauseNotFound:
		return http.StatusNotFound
	case decide.CausePreconditionMissing:
		return http.StatusPreconditionRequired
	case decide.CausePreconditionFailed:
		return http.StatusPreconditionFailed
	case decide.CauseReadOnly, decide.CauseForbidden, decide.CauseApprovalRequired, decide.CauseBreakGlass:
		return http.StatusForbidden
	default:
		return http.StatusUnprocessableEntity
	}
}

// places returns problems of documents as the API shows them.
func places(problems eval.Problems) []api.ProblemPlace {
	var all []api.ProblemPlace
	for _, p := range problems {
		all = append(all, api.ProblemPlace{Kind: string(p.Kind), Key: p.Key, Pointer: p.Pointer, Reason: p.Reason, Hint: p.Hint})
	}
	return all
}
