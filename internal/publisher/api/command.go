package api

import (
	"encoding/json"
)

// Command is something to be done to the documents of an environment. What its members mean depends on the type.
type Command struct {
	_ struct{} `additionalProperties:"false"`

	Type     string          `json:"type" enum:"put,patch,delete,toggle,archive,documents,rollback,promote" example:"toggle" doc:"What is to be done."`
	Kind     string          `json:"kind,omitempty" enum:"flag,segment,settings" doc:"The kind of the document; absent is a flag."`
	Key      string          `json:"key,omitempty" example:"new-checkout" doc:"The key of the document; absent for documents, promote, and a roll-back of everything."`
	IfMatch  string          `json:"ifMatch,omitempty" example:"1f0c9a7e-42" doc:"The revision that the document must have, for put, patch, delete, toggle and archive."`
	IfAbsent bool            `json:"ifAbsent,omitzero" doc:"That the document must not exist, for put."`
	Document json.RawMessage `json:"document,omitempty" doc:"The document, for put."`
	Patch    json.RawMessage `json:"patch,omitempty" doc:"A JSON Merge Patch (RFC 7396), for patch."`
	On       bool            `json:"on,omitzero" doc:"Whether the flag is to be on, for toggle."`
	Force    bool            `json:"force,omitzero" doc:"Whether what depends on the document goes along, for archive."`
	InUse    bool            `json:"inUse,omitzero" doc:"That flags are to go although applications asked for them in the last 7 days, for a preview of delete and archive."`
	Changes  []CommandChange `json:"changes,omitempty" nullable:"false" doc:"Several documents that change together, for documents."`
	Revision string          `json:"revision,omitempty" example:"1f0c9a7e-17" doc:"The revision to return to, for rollback."`
	From     string          `json:"from,omitempty" example:"staging" doc:"The environment to take documents from, for promote."`
	Flags    []string        `json:"flags,omitempty" nullable:"false" doc:"The flags to take, with all that they depend on, for promote; absent is all."`
	Prune    bool            `json:"prune,omitzero" doc:"Whether what the other environment does not have is deleted, for promote."`
}

// CommandChange is one of several documents that change together.
type CommandChange struct {
	_ struct{} `additionalProperties:"false"`

	Kind     string          `json:"kind,omitempty" enum:"flag,segment,settings" doc:"The kind of the document; absent is a flag."`
	Key      string          `json:"key,omitempty" doc:"The key of the document."`
	IfMatch  string          `json:"ifMatch,omitempty" example:"1f0c9a7e-42" doc:"The revision that the document has been seen at; absent if it did not exist."`
	Document json.RawMessage `json:"document,omitempty" doc:"The wanted document; absent or null deletes it."`
}

// Preview is what a command would do.
type Preview struct {
	Differences []Difference   `json:"differences" nullable:"false"`
	Risk        Risk           `json:"risk"`
	Permitted   bool           `json:"permitted" doc:"Whether you may do it at once."`
	Refused     *Problem       `json:"refused,omitempty" doc:"Why you may not do it at once; approvals is how many people must agree, if that makes it possible."`
	Warnings    []ProblemPlace `json:"warnings,omitempty" nullable:"false" doc:"Slips that would be tolerated."`
	Impact      *Impact        `json:"impact,omitempty" doc:"What it would do to recent evaluations; absent if that was not asked for, and if you may neither do nor propose it."`
}

// Difference is a document that a command would change.
type Difference struct {
	Kind   string          `json:"kind"`
	Key    string          `json:"key"`
	Before json.RawMessage `json:"before,omitempty" doc:"Absent if the document does not exist."`
	After  json.RawMessage `json:"after,omitempty" doc:"Absent if the document would be deleted."`
}

// PreviewCommand asks what a command would do.
type PreviewCommand struct {
	_ struct{} `additionalProperties:"false"`

	Command Command `json:"command"`
	Impact  bool    `json:"impact,omitzero" doc:"Ask sidecars what it would do to recent evaluations."`
	WaitMs  int     `json:"waitMs,omitzero" minimum:"1" maximum:"10000" doc:"How long answers of sidecars are waited for, in milliseconds; absent is 1000."`
}
