package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/control"
)

type listFacts struct {
	EnvironmentPath

	Actor   string    `query:"actor" maxLength:"512" doc:"Only what this principal did, by its opaque id."`
	Request string    `query:"request" maxLength:"64" doc:"Only what concerns this change request."`
	Since   time.Time `query:"since" doc:"Only what happened then or later."`
	Until   time.Time `query:"until" doc:"Only what happened before."`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many facts."`
	Before  uint64    `query:"before" doc:"Only facts before this one: next of the answer before."`
}

// selects reports whether a fact is asked for.
func (in *listFacts) selects(e control.RecordedEvent) bool {
	return (in.Actor == "" || in.Actor == e.By) &&
		(in.Request == "" || in.Request == e.Request) &&
		(in.Since.IsZero() || !e.At.Before(in.Since)) &&
		(in.Until.IsZero() || e.At.Before(in.Until))
}

type factList struct {
	Body FactList
}

// FactList is a part of what the ledger of an environment says, newest first.
type FactList struct {
	Items []Fact `json:"items" nullable:"false"`
	Next  uint64 `json:"next,omitzero" doc:"Where the next part begins; absent at the end."`
}

// Fact is something that was decided, asked for in vain, or done about an environment. The changes themselves stand in the histories of
// their documents.
type Fact struct {
	Sequence uint64    `json:"sequence,omitzero" doc:"Its place in the ledger; absent for a change."`
	Time     time.Time `json:"time"`
	Type     string    `json:"type" example:"request.approved" doc:"What happened: change, a step of a change request, settings.risk, epoch.begun, environment.archived, environment.revived, environment.destroyed, environment.adopted, journal.repaired, refused or unauthenticated."`
	Actor    string    `json:"actor,omitempty" doc:"The opaque id of who did it; absent for the publisher itself."`
	Names    Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Request  string    `json:"changeRequest,omitempty"`
	Hash     string    `json:"hash,omitempty" doc:"Names exactly what was proposed, approved or claimed."`
	Text     string    `json:"text,omitempty" doc:"The reason, the comment, or what was refused."`
	Revision string    `json:"revision,omitempty" doc:"The revision of the environment when the request was claimed, or with the change when it was applied."`
	Outcome  string    `json:"outcome,omitempty" doc:"What a released request has become."`

	Approvers []string       `json:"approvers,omitempty" nullable:"false" doc:"The opaque ids of those whose approvals counted."`
	Documents []FactDocument `json:"documents,omitempty" nullable:"false" doc:"What was to be changed."`
	Breaks    bool           `json:"breakGlass,omitzero" doc:"Whether it was to go without approvals."`
	Control   uint64         `json:"control,omitzero" doc:"The number of the record of CONTROL that says the same, of what was done to the environment as a whole."`
	Review    bool           `json:"reviewOpen,omitzero" doc:"Whether that went without approvals and has not been reviewed: review it by this number."`
	Action    string         `json:"action,omitempty" doc:"What policies did not permit."`
	Policies  []string       `json:"policies,omitempty" nullable:"false" doc:"The policies that decided."`
	OpID      string         `json:"opId,omitempty" doc:"The op-id of a change."`
	Risk      *RiskSettings  `json:"risk,omitempty" doc:"What is risky from then on."`
	Count     uint64         `json:"count,omitzero" doc:"How many requests came without valid authentication, or how many more were refused."`
	From      time.Time      `json:"from,omitzero" doc:"Since when they were counted."`
}

// FactDocument is a document that a fact is about.
type FactDocument struct {
	Kind   string `json:"kind"`
	Key    string `json:"key,omitempty"`
	Action string `json:"action,omitempty" enum:"put,delete" doc:"What was done to it; absent where nothing was, or not yet."`
}

func (a *api) registerFacts(h huma.API) {
	op := reading(operation(http.MethodGet, "/api/v1/environments/{environment}/ledger", "listFacts",
		"List what was decided and refused in an environment, the newest first", requestsTag))
	op.Metadata[mustAuthenticate] = true // it tells who was refused what
	huma.Register(h, op, a.listFacts)
}

func (a *api) listFacts(ctx context.Context, in *listFacts) (*factList, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	events, err := a.options.Environments.Ledger(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	var newest []Fact // of those asked for, at most one more than wanted, oldest first; events have whole documents
	for e, err := range events {
		if err != nil {
			return nil, a.problem(err)
		}
		if in.Before != 0 && e.Sequence >= in.Before {
			break
		}
		if !in.selects(e) {
			continue
		}
		if newest = append(newest, a.fact(ctx, e)); len(newest) > in.Limit+1 {
			newest = newest[1:]
		}
	}
	out := newFactList(newest, in.Limit)
	for i, f := range out.Items {
		out.Items[i].Names = a.names(ctx, append(f.Approvers, f.Actor)...)
	}
	return &factList{Body: out}, nil
}

func newFactList(facts []Fact, limit int) FactList {
	slices.Reverse(facts)
	out := FactList{Items: facts}
	if len(facts) > limit {
		out.Items = facts[:limit]
		out.Next = facts[limit-1].Sequence
	}
	if out.Items == nil {
		out.Items = []Fact{}
	}
	return out
}

// fact is newFact with what is known of its review.
func (a *api) fact(ctx context.Context, e control.RecordedEvent) Fact {
	f := newFact(e)
	if f.Breaks && f.Control > 0 {
		act, known := a.options.Acts.Find(ctx, f.Control)
		f.Review = known && act.ReviewOpen()
	}
	return f
}

func newFact(e control.RecordedEvent) Fact {
	f := Fact{
		Sequence: e.Sequence, Time: e.At, Type: string(e.Type), Actor: e.By, Request: e.Request, Hash: e.Hash, Text: e.Text,
		Outcome: string(e.Outcome), Approvers: e.Approvers, Count: e.Count, From: e.Since, Breaks: e.BreakGlass, Control: e.Control.Sequence,
	}
	if e.Position != nil {
		f.Revision = e.Position.Token().String()
	}
	if e.Proposal != nil {
		f.Breaks = e.Proposal.BreakGlass
		for _, c := range e.Proposal.Changes {
			f.Documents = append(f.Documents, FactDocument{Kind: string(c.Kind), Key: c.Key})
		}
	}
	if e.Refusal != nil {
		f.Action, f.Policies = string(e.Refusal.Action), e.Refusal.Policies
		if e.Refusal.Kind != "" {
			f.Documents = []FactDocument{{Kind: e.Refusal.Kind, Key: e.Refusal.Key}}
		}
	}
	if e.Risk != nil {
		f.Risk = new(newRiskSettings(*e.Risk))
	}
	return f
}
