package api

import (
	"time"
)

// RecordList is a part of what CONTROL says was done to the installation, newest first.
type RecordList struct {
	Items []Record `json:"items" nullable:"false"`
	Next  uint64   `json:"next,omitzero" doc:"Where the next part begins; absent at the end."`
}

// Record is something that was done to the installation.
type Record struct {
	Sequence    uint64    `json:"sequence" doc:"Its place in CONTROL."`
	Time        time.Time `json:"time,omitzero" doc:"Absent for keys, whose note has none."`
	Type        string    `json:"type" example:"environment.archived" doc:"What was done: environment.created, environment.adopted, environment.archived, environment.revived, environment.destroyed, token.created, token.revoked, person.erased, policy.changed, keys, journal.repaired, control.reviewed or control.restored."`
	Actor       string    `json:"actor,omitempty" doc:"The opaque id of who did it; absent for a publisher itself."`
	Names       Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Reason      string    `json:"reason,omitempty"`
	Breaks      bool      `json:"breakGlass,omitzero" doc:"Whether it went without the approvals that policies want."`
	ReviewOpen  bool      `json:"reviewOpen,omitzero" doc:"Whether it went without approvals and has not been reviewed."`
	ReviewedBy  string    `json:"reviewedBy,omitempty" doc:"The opaque id of who has reviewed it."`
	Environment string    `json:"environment,omitempty"`
	Token       string    `json:"token,omitempty" doc:"The id of the token."`
	Person      string    `json:"person,omitempty" doc:"The opaque id of the person."`
	Digest      string    `json:"digest,omitempty" doc:"The SHA-256 of the policies that a publisher enforces from then on."`
	Publisher   string    `json:"publisher,omitempty" doc:"The host of that publisher."`
	Cause       string    `json:"cause,omitempty" doc:"What made it read them: start or reload."`
	KeysVersion uint64    `json:"keysVersion,omitzero" doc:"The version of the keys note, which says who may sign."`
	Reviews     uint64    `json:"reviews,omitzero" doc:"The number of the record that was reviewed."`
}

// RecordQuery says which records of CONTROL are wanted.
type RecordQuery struct {
	NeedsReview bool   `query:"needsReview" doc:"Only what went without approvals and has not been reviewed."`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many records."`
	Before      uint64 `query:"before" maximum:"9007199254740991" doc:"Only records before this one: next of the answer before."`
}
