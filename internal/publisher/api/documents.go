package api

import (
	"encoding/json"
	"time"
)

// DocumentList is a part of the documents of one kind, by key.
type DocumentList struct {
	Revision string           `json:"revision" doc:"The revision of the environment that was read."`
	AgeMs    *int64           `json:"ageMs,omitempty" doc:"Milliseconds since it was certain that this is the newest revision; absent if never."`
	Items    []DocumentInList `json:"items" nullable:"false"`
	Next     string           `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
}

// DocumentInList is a document in a DocumentList.
type DocumentInList struct {
	Key      string          `json:"key"`
	Revision string          `json:"revision" doc:"The revision of the document."`
	Document json.RawMessage `json:"document,omitempty" doc:"Absent with keysOnly."`
}

// Written is what became of a change.
type Written struct {
	Revision string         `json:"revision" doc:"The revision of the environment that contains the change."`
	Changed  bool           `json:"changed" doc:"False if everything was as wanted already, so that nothing was written."`
	OpID     string         `json:"opId,omitempty" doc:"The op-id of the change in the log."`
	Effects  []Effect       `json:"effects,omitempty" nullable:"false" doc:"What was done to each document; absent where an idempotency key has done it before."`
	Warnings []ProblemPlace `json:"warnings,omitempty" nullable:"false" doc:"Slips that were tolerated."`
}

// Effect is what a change did to one document.
type Effect struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	Done string `json:"done" enum:"added,changed,deleted"`
}

// History is a part of the changes of a document, newest first.
type History struct {
	Items []DocumentChange `json:"items" nullable:"false"`
	Next  string           `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
}

// DocumentChange is one change of a document, as it stands in the log.
type DocumentChange struct {
	Revision  string          `json:"revision"`
	Time      time.Time       `json:"time"`
	OpID      string          `json:"opId" doc:"The same for all documents that were changed together."`
	Actor     string          `json:"actor" doc:"The opaque id of who made the change."`
	Approvers []string        `json:"approvers,omitempty" nullable:"false" doc:"The opaque ids of who agreed."`
	Names     Names           `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Reason    string          `json:"reason,omitempty"`
	Request   string          `json:"changeRequest,omitempty"`
	Action    string          `json:"action" enum:"put,delete"`
	Document  json.RawMessage `json:"document,omitempty" doc:"The document that was put."`

	Warnings []ProblemPlace `json:"warnings,omitempty" nullable:"false" doc:"Slips of the document that are tolerated, as the environment is now."`
	ServedIn *ServedIn      `json:"servedIn,omitempty" doc:"How the change came to sidecars, as far as this publisher remembers: of the last hundred since its start."`
}

// DocumentQuery says which part of the documents is wanted.
type DocumentQuery struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many documents."`
	After string `query:"after" doc:"Begin after this key: next of the answer before."`
	// KeysOnly leaves documents out, of which some are large.
	KeysOnly bool `query:"keysOnly" doc:"Whether only keys and revisions are wanted."`
}

// HistoryQuery says which part of a history is wanted.
type HistoryQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many changes."`
	Before string `query:"before" doc:"Only changes before this revision: next of the answer before."`
}

// ToggleFlag turns a flag on or off.
type ToggleFlag struct {
	_ struct{} `additionalProperties:"false"`

	On bool `json:"on" doc:"Whether the flag is to be on."`
}

// ArchiveDocument removes a document.
type ArchiveDocument struct {
	_ struct{} `additionalProperties:"false"`

	Force bool `json:"force,omitzero" doc:"Whether everything that depends on it goes along."`
}

// RollBackDocument makes a document what it was.
type RollBackDocument struct {
	_ struct{} `additionalProperties:"false"`

	Revision string `json:"revision" example:"1f0c9a7e-17" doc:"The revision of the environment to return to, <epoch8>-<revision>."`
}
