package decide

import (
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// Cause says why a command was refused.
type Cause string

// The causes of refusals.
const (
	// CauseMalformed is a document, key or reason that is not of the right form.
	CauseMalformed Cause = "malformed"
	// CauseTooLarge is a document above changelog.MaxDocument.
	CauseTooLarge Cause = "too-large"
	// CauseTooMany is a change request of an author who has too many that are not ended.
	CauseTooMany Cause = "too-many"
	// CauseInvalid is a document that cannot be evaluated, or makes another one so.
	CauseInvalid Cause = "invalid"
	// CauseInUse is a deletion of what others depend on, or applications use.
	CauseInUse Cause = "in-use"
	// CauseNotFound is a document that does not exist.
	CauseNotFound Cause = "not-found"
	// CauseNotKnown is a recreation of what is not known here.
	CauseNotKnown Cause = "not-known"
	// CausePreconditionMissing is a command that does not say what its author has seen.
	CausePreconditionMissing Cause = "precondition-missing"
	// CausePreconditionFailed is a command whose author has seen something else.
	CausePreconditionFailed Cause = "precondition-failed"
	// CauseReadOnly is a command for an environment whose truth is elsewhere.
	CauseReadOnly Cause = "read-only"
	// CauseSourceOwned is a change of a document that a publisher keeps as a source says: it is changed there.
	CauseSourceOwned Cause = "source-owned"
	// CauseEntangled is a replacement too large for one transaction that cannot be divided into valid ones.
	CauseEntangled Cause = "entangled"
	// CauseForbidden is a command that policies do not permit.
	CauseForbidden Cause = "forbidden"
	// CauseApprovalRequired is a command that policies permit when others have approved it: open a change request.
	CauseApprovalRequired Cause = "approval-required"
	// CauseBreakGlass is a restoration that no approval can permit, only breaking the glass.
	CauseBreakGlass Cause = "break-glass-required"
	// CauseStale is a change request that was made from what has changed since.
	CauseStale Cause = "stale"
	// CauseNotOpen is a change request that is in no state for what was asked.
	CauseNotOpen Cause = "not-open"
	// CauseKeyReused is an idempotency key that was used for something else.
	CauseKeyReused Cause = "key-reused"
	// CauseKeyExpired is an idempotency key that was used longer ago than is remembered.
	CauseKeyExpired Cause = "key-expired"
)

// Causes returns all causes.
func Causes() []Cause {
	return []Cause{
		CauseMalformed,
		CauseTooLarge,
		CauseTooMany,
		CauseInvalid,
		CauseInUse,
		CauseNotFound,
		CauseNotKnown,
		CausePreconditionMissing,
		CausePreconditionFailed,
		CauseReadOnly,
		CauseSourceOwned,
		CauseEntangled,
		CauseForbidden,
		CauseApprovalRequired,
		CauseBreakGlass,
		CauseStale,
		CauseNotOpen,
		CauseKeyReused,
		CauseKeyExpired,
	}
}

// Refusal is the error of a command that was decided against. Nothing was written.
type Refusal struct {
	Cause  Cause
	Detail string // one or two sentences for people
	// Problems are those of the candidate, for CauseInvalid, CauseInUse and CauseEntangled.
	Problems eval.Problems
	// Current is the revision that the document has, for CausePreconditionFailed; zero if it does not exist.
	Current changelog.Token
	// Request is the change request that is concerned, if any.
	Request string
	// Moved are the documents that a stale request was made from, with the revisions that they have now.
	Moved []requests.Base
	// Action is what policies do not permit, and Approvals how many would make them, for CauseForbidden and CauseApprovalRequired.
	Action    *requests.RefusedAction
	Approvals int
	// Risk is that of the command that was not permitted.
	Risk access.Risk
}

// Error returns the detail and the problems, one a line.
func (r *Refusal) Error() string {
	if len(r.Problems) == 0 {
		return r.Detail
	}
	return r.Detail + "\n" + r.Problems.Error()
}

// NotFound returns the refusal of a command or a read that is about a document that does not exist.
func NotFound(id document.ID) error {
	if id.Kind == document.KindSettings {
		return &Refusal{Cause: CauseNotFound, Detail: "The environment has no settings."}
	}
	return &Refusal{Cause: CauseNotFound, Detail: fmt.Sprintf("There is no %s %q.", id.Kind, id.Key)}
}
