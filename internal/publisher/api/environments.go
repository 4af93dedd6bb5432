package api

import (
	"time"
)

// Environment is what the API tells of an environment.
type Environment struct {
	Name      string    `json:"name"`
	Epoch     string    `json:"epoch" doc:"The history that revisions belong to; they begin with its first eight digits."`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"createdBy" doc:"The opaque id of who created it."`
	Names     Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Archived  time.Time `json:"archived,omitzero" doc:"When it was taken out of use; absent while it is in use."`
	Destroyed time.Time `json:"destroyed,omitzero" doc:"When its flags were deleted for good; absent while it can be revived. Its ledger stays."`
	Revision  string    `json:"revision,omitempty" doc:"The newest revision known here; absent until it was read completely."`
	Flags     int       `json:"flags" doc:"The number of flags at that revision."`
	AgeMs     *int64    `json:"ageMs,omitempty" doc:"Milliseconds since it was certain that this is the newest revision; absent if never."`
	Protected bool      `json:"protected" doc:"Whether every change is risky, which getRisk and patchRisk are about."`
	ReadOnly  string    `json:"readOnly,omitempty" doc:"Where it is changed instead of here; absent if here."`
	Refused   string    `json:"writesRefused,omitempty" doc:"Why nothing can be written now; absent if it can."`
}

// NewEnvironment says what an environment is to be.
type NewEnvironment struct {
	_ struct{} `additionalProperties:"false"`

	Name          string `json:"name" example:"staging" doc:"A DNS label in lower case that begins with a letter, of at most 63 characters."`
	Compatibility string `json:"compatibility,omitempty" enum:"flagd" doc:"Whose strictness the flags follow; absent is the publisher's."`
	Protected     *bool  `json:"protected,omitempty" doc:"Whether every change is risky; absent is yes for prod and production, and no for others."`
}

// Restored is what became of an environment that was to be restored or recreated.
type Restored struct {
	Outcome   string         `json:"outcome" enum:"preview,unchanged,waiting,applied" doc:"Preview: nothing was asked for but to look. Waiting: the change request waits for approvals."`
	NewEpoch  bool           `json:"newEpoch" doc:"Whether it is a new epoch of the log, and no ordinary change."`
	Snapshot  string         `json:"snapshot,omitempty" doc:"The revision of the snapshot."`
	InHistory bool           `json:"inHistory" doc:"Whether the log has that revision. If not, only breaking the glass restores the snapshot."`
	Preview   Preview        `json:"preview" doc:"What changes."`
	Request   *ChangeRequest `json:"changeRequest,omitempty" doc:"The change request, also of a new epoch, which is reviewed there; absent if nothing was to change."`
	Remaining int            `json:"remaining,omitzero" doc:"How many documents still differ: repeat it for the next part."`
	Waits     *Problem       `json:"waits,omitempty" doc:"Why the change request was not applied at once."`

	Environment Environment `json:"environment" doc:"The environment afterwards."`
}

// Operation is what became of a change.
type Operation struct {
	OpID     string `json:"opId"`
	State    string `json:"state" enum:"committed,lost,open,unknown" doc:"Lost: nothing was written. Open: not decided yet, ask again. Unknown: it is not in the log as it is now, or was written more than a day ago; only the publisher that was asked to write it can tell more."`
	Revision string `json:"revision,omitempty" doc:"The revision of the environment that contains the change, if it is committed."`
}

// EnvironmentList has environments by name.
type EnvironmentList struct {
	Items []Environment `json:"items" nullable:"false"`
}

// RollBackEnvironment makes all documents what they were.
type RollBackEnvironment struct {
	_ struct{} `additionalProperties:"false"`

	Revision string `json:"revision" example:"1f0c9a7e-17" doc:"The revision to return to, <epoch8>-<revision>."`
}

// PromoteEnvironment makes documents what they are in another environment.
type PromoteEnvironment struct {
	_ struct{} `additionalProperties:"false"`

	From  string   `json:"from" example:"staging" doc:"The environment to take documents from."`
	Flags []string `json:"flags,omitempty" nullable:"false" doc:"The flags to take, with all that they depend on; absent is all flags and segments."`
	Prune bool     `json:"prune,omitzero" doc:"Whether what the other environment does not have is deleted."`
}

// ChangeDocuments changes several documents together.
type ChangeDocuments struct {
	_ struct{} `additionalProperties:"false"`

	Changes []CommandChange `json:"changes" nullable:"false" minItems:"1" doc:"The documents. More than 1000 are written in several steps, each of which leaves a valid environment."`
}

// RecreateQuery says how an environment is recreated.
type RecreateQuery struct {
	DryRun bool `query:"dryRun" doc:"Tell what would change, and change nothing."`
}

// RestoreQuery says how an environment is restored.
type RestoreQuery struct {
	DryRun bool `query:"dryRun" doc:"Tell what would change, and change nothing."`
	Part   bool `query:"part" doc:"Take as much of the difference as one change request may have: repeat it until remaining is 0."`
}
