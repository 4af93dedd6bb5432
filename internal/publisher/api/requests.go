package api

import (
	"encoding/json"
	"time"
)

// NewRequest says what a change request is to do.
type NewRequest struct {
	_ struct{} `additionalProperties:"false"`

	Command     Command   `json:"command"`
	ApplyAt     time.Time `json:"applyAt,omitzero" doc:"When to apply it; absent: when a caller applies it."`
	LateSeconds int64     `json:"lateSeconds,omitzero" minimum:"0" maximum:"31536000" doc:"How long after applyAt it may still be applied; 0 is any time."`
	Expires     time.Time `json:"expires,omitzero" doc:"When it is given up; absent is 30 days after it was made, or after applyAt."`
	BreakGlass  bool      `json:"breakGlass,omitzero" doc:"Whether it is to go without approvals, and be reviewed afterwards; needs a reason."`
	Source      string    `json:"source,omitempty" maxLength:"100" pattern:"^[A-Za-z0-9_./:@-]*$" example:"github.com/acme/flags" doc:"The name of the files that want it, by which flagside apply finds its own request; absent for any other. A rebase without it keeps it."`
	Reason      string    `json:"reason,omitempty" example:"The payment provider is down." doc:"Why; at most 500 bytes. It cannot be erased: do not name a person."`
}

// ChangeRequest is a change that waits for the consent of others, or for its time.
type ChangeRequest struct {
	ID     string `json:"id"`
	Status string `json:"status" enum:"open,claimed,applied,needs_rebase,failed,rejected,withdrawn,expired"`
	Hash   string `json:"hash" doc:"Names exactly what is proposed. Send it to approve."`
	Author string `json:"author" doc:"The opaque id of who made it."`
	Names  Names  `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Reason string `json:"reason,omitempty"`
	Source string `json:"source,omitempty" doc:"The name of the files that want it, as who made it said; absent for any other."`

	Opened      time.Time `json:"opened"`
	Changed     time.Time `json:"changed"`
	ApplyAt     time.Time `json:"applyAt,omitzero"`
	LateSeconds int64     `json:"lateSeconds,omitzero"`
	Expires     time.Time `json:"expires"`
	BreakGlass  bool      `json:"breakGlass,omitzero"`

	Restores *Restoration `json:"restores,omitempty" doc:"What is restored or recreated; absent for any other change."`

	Changes []ProposedChange `json:"changes" nullable:"false"`
	Epoch   string           `json:"epoch" doc:"The history that the revisions of bases belong to."`
	Bases   []Base           `json:"bases" nullable:"false" doc:"What it was made from. If one of them changes, rebase the request."`
	Risk    Risk             `json:"risk" doc:"As it was when the request was made."`
	Needed  int              `json:"approvalsNeeded" doc:"How many approvals policies asked for when the request was made. They are asked again when it is applied."`

	Impact *Impact `json:"impact,omitempty" doc:"What it would do to recent evaluations, as sidecars say now. Present if you ask for it with impact=true while the request can be applied."`

	Warnings []ProblemPlace `json:"warnings,omitempty" nullable:"false" doc:"Slips of its documents that are tolerated, as the environment is now; absent in lists, and once it has ended without being applied."`

	Approvals []Remark `json:"approvals" nullable:"false"`
	Comments  []Remark `json:"comments" nullable:"false" doc:"In lists empty once the request has ended."`
	// CommentCount counts all comments.
	CommentCount int `json:"commentCount" doc:"How many comments there are."`

	Moved      []Base  `json:"moved,omitempty" nullable:"false" doc:"What it was made from and has changed since, with the revisions of now, if it needs_rebase."`
	Outcome    *Remark `json:"outcome,omitempty" doc:"Why it was rejected, withdrawn or given up."`
	Applied    string  `json:"applied,omitempty" doc:"The revision of the environment that contains the change."`
	AppliedBy  string  `json:"appliedBy,omitempty" doc:"The opaque id of who has applied it."`
	Review     *Remark `json:"review,omitempty" doc:"Who has looked at it afterwards, if it went without approvals."`
	ReviewOpen bool    `json:"reviewOpen,omitzero" doc:"Whether it went without approvals and has not been reviewed."`
}

// ProposedChange is a document that a change request wants to put or to delete.
type ProposedChange struct {
	Kind     string          `json:"kind"`
	Key      string          `json:"key"`
	Document json.RawMessage `json:"document,omitempty" doc:"Absent if it is deleted, and in lists also once the request has ended."`
}

// Base is a document and a revision of it.
type Base struct {
	Kind     string `json:"kind"`
	Key      string `json:"key"`
	Revision uint64 `json:"revision" doc:"0 if the document does not exist."`
}

// Restoration is what a change request restores, and over what.
type Restoration struct {
	Snapshot    string `json:"snapshot,omitempty" doc:"The revision of the snapshot; absent if the environment is recreated from what a publisher held."`
	InHistory   bool   `json:"inHistory" doc:"Whether the log had that revision."`
	StateDigest string `json:"stateDigest" doc:"The digest of the documents to be restored."`
	Before      string `json:"before,omitempty" doc:"The revision that the environment had; absent if it was not known."`
	BeforeState string `json:"beforeStateDigest,omitempty" doc:"The digest of the documents that it had."`
	Documents   int    `json:"documents" doc:"How many documents differ in all. The record of a new epoch names at most 500."`
	NewEpoch    bool   `json:"newEpoch" doc:"Whether the documents are written as a new epoch of the log."`
}

// Remark is what a person said about a change request.
type Remark struct {
	By   string    `json:"by,omitempty" doc:"The opaque id of who; absent for the publisher itself."`
	At   time.Time `json:"at"`
	Text string    `json:"text,omitempty"`
}

// RequestList is a part of the change requests, the oldest first.
type RequestList struct {
	Items []ChangeRequest `json:"items" nullable:"false"`
	Next  string          `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
}

// RequestQuery says which change requests are wanted.
type RequestQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many change requests."`
	After  string `query:"after" maxLength:"64" doc:"Begin after this one: next of the answer before."`
	Status string `query:"status" enum:"open,claimed,applied,needs_rebase,failed,rejected,withdrawn,expired" doc:"Only those with this status."`
	Review bool   `query:"needsReview" doc:"Only those that were applied without approvals and have not been reviewed."`
}

// CommentRequest says something about a change request.
type CommentRequest struct {
	_ struct{} `additionalProperties:"false"`

	Text string `json:"text" minLength:"1" doc:"What is to be said; at most 4,000 bytes. It cannot be erased: do not name a person."`
}

// ApproveRequest agrees to a change request as it was read.
type ApproveRequest struct {
	_ struct{} `additionalProperties:"false"`

	Hash string `json:"hash" doc:"The hash of the change request as its reader has seen it."`
}
