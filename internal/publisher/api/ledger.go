package api

import (
	"time"
)

// EventList is a part of what the ledger of an environment says, newest first.
type EventList struct {
	Items []Event `json:"items" nullable:"false"`
	Next  uint64  `json:"next,omitzero" doc:"Where the next part begins; absent at the end."`
}

// Event is something that was decided, asked for in vain, or done about an environment. The changes themselves stand in the histories of
// their documents.
type Event struct {
	Sequence uint64    `json:"sequence,omitzero" doc:"Its place in the ledger; absent for a change."`
	Time     time.Time `json:"time"`
	Type     string    `json:"type" example:"request.approved" doc:"What happened: change, a step of a change request, settings.risk, settings.lifecycle, source.version, lifecycle.expiring, lifecycle.expired, lifecycle.stale, lifecycle.active, lifecycle.archived, epoch.begun, environment.archived, environment.revived, environment.destroyed, environment.adopted, journal.repaired, refused or unauthenticated."`
	Actor    string    `json:"actor,omitempty" doc:"The opaque id of who did it; absent for the publisher itself."`
	Names    Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Request  string    `json:"changeRequest,omitempty"`
	Hash     string    `json:"hash,omitempty" doc:"Names exactly what was proposed, approved or claimed."`
	Text     string    `json:"text,omitempty" doc:"The reason, the comment, or what was refused."`
	Revision string    `json:"revision,omitempty" doc:"The revision of the environment when the request was claimed, or with the change when it was applied."`
	Outcome  string    `json:"outcome,omitempty" doc:"What a released request has become."`

	Approvers []string         `json:"approvers,omitempty" nullable:"false" doc:"The opaque ids of those whose approvals counted."`
	Documents []EventDocument  `json:"documents,omitempty" nullable:"false" doc:"What was to be changed."`
	More      int              `json:"moreDocuments,omitzero" doc:"How many documents more there are, of an event for webhooks, in which not all have room."`
	ServedIn  *ServedIn        `json:"servedIn,omitempty" doc:"How a change came to sidecars, as far as this publisher remembers: of the last hundred since its start."`
	Breaks    bool             `json:"breakGlass,omitzero" doc:"Whether it was to go without approvals."`
	Control   uint64           `json:"control,omitzero" doc:"The number of the record of CONTROL that says the same, of what was done to the environment as a whole."`
	Review    bool             `json:"reviewOpen,omitzero" doc:"Whether that went without approvals and has not been reviewed: review it by this number."`
	Action    string           `json:"action,omitempty" doc:"What policies did not permit."`
	Policies  []string         `json:"policies,omitempty" nullable:"false" doc:"The policies that decided."`
	OpID      string           `json:"opId,omitempty" doc:"The op-id of a change."`
	Risk      *RiskSettings    `json:"risk,omitempty" doc:"What is risky from then on."`
	Lifecycle *LifecyclePolicy `json:"lifecycle,omitempty" doc:"What holds for flags that grow old from then on."`
	Count     uint64           `json:"count,omitzero" doc:"How many requests came without valid authentication, or how many more were refused."`
	From      time.Time        `json:"from,omitzero" doc:"Since when they were counted."`
	Source    string           `json:"source,omitempty" doc:"The source that a publisher follows and has a new version of."`
	Version   string           `json:"version,omitempty" doc:"That version."`
}

// EventDocument is a document that a fact is about.
type EventDocument struct {
	Kind   string `json:"kind"`
	Key    string `json:"key,omitempty"`
	Action string `json:"action,omitempty" enum:"put,delete" doc:"What was done to it; absent where nothing was, or not yet."`

	Owner    string    `json:"owner,omitempty" doc:"The owner of a flag that came to a stage of its life."`
	Since    time.Time `json:"since,omitzero" doc:"Since when a flag is at that stage."`
	Revision uint64    `json:"revision,omitzero" doc:"The revision that such a flag had."`
}

// LedgerQuery says which events of a ledger are wanted.
type LedgerQuery struct {
	Actor   string    `query:"actor" maxLength:"512" doc:"Only what this principal did, by its opaque id."`
	Request string    `query:"request" maxLength:"64" doc:"Only what concerns this change request."`
	Since   time.Time `query:"since" doc:"Only what happened then or later."`
	Until   time.Time `query:"until" doc:"Only what happened before."`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many facts."`
	Before  uint64    `query:"before" maximum:"9007199254740991" doc:"Only facts before this one: next of the answer before."`
}
