package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
)

const controlPath = "/api/v1/control"

type listActs struct {
	NeedsReview bool   `query:"needsReview" doc:"Only what went without approvals and has not been reviewed."`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many records."`
	Before      uint64 `query:"before" doc:"Only records before this one: next of the answer before."`
}

type actList struct {
	Body ActList
}

// ActList is a part of what CONTROL says was done to the installation, newest first.
type ActList struct {
	Items []Act  `json:"items" nullable:"false"`
	Next  uint64 `json:"next,omitzero" doc:"Where the next part begins; absent at the end."`
}

// Act is something that was done to the installation.
type Act struct {
	Sequence    uint64    `json:"sequence" doc:"Its place in CONTROL."`
	Time        time.Time `json:"time,omitzero" doc:"Absent for keys, whose note has none."`
	Type        string    `json:"type" example:"environment.archived" doc:"What was done: environment.created, environment.adopted, environment.archived, environment.revived, environment.destroyed, token.created, token.revoked, person.erased, policy.changed, keys, journal.repaired or control.reviewed."`
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

type reviewAct struct {
	Sequence uint64 `path:"sequence" minimum:"1" doc:"The number of the record."`
	Reason   string `header:"Flagside-Reason" maxLength:"500" doc:"What the review found. It stands in CONTROL for ever and cannot be erased: do not name a person."`
}

type actBody struct {
	Body Act
}

// registerActs adds what tells of administration.
func (a *api) registerActs(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, controlPath+"/records", "listControl",
		"List what was done to the installation, the newest first: environments, tokens, persons, policies, keys and repairs", accessTag)), a.listActs)
	huma.Register(h, operation(http.MethodPost, controlPath+"/records/{sequence}/review", "reviewControl",
		"Close what breaking the glass has left open: of an environment, who may approve there, and otherwise who may administer", accessTag), a.reviewAct)
}

func (a *api) listActs(ctx context.Context, in *listActs) (*actList, error) {
	all, err := a.options.Acts.List(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	out := &actList{Body: ActList{Items: []Act{}}}
	for _, act := range slices.Backward(all) {
		if in.Before != 0 && act.Sequence >= in.Before || in.NeedsReview && !act.ReviewOpen() {
			continue
		}
		if n := len(out.Body.Items); n == in.Limit {
			out.Body.Next = out.Body.Items[n-1].Sequence
			break
		}
		out.Body.Items = append(out.Body.Items, a.act(ctx, act))
	}
	return out, nil
}

func (a *api) act(ctx context.Context, act access.Act) Act {
	out := Act{
		Sequence: act.Sequence, Time: act.Time, Type: act.Type, Actor: act.Actor, Names: a.names(ctx, act.Actor, act.Reviewer), Reason: act.Reason,
		Breaks: act.BreakGlass, ReviewOpen: act.ReviewOpen(), ReviewedBy: act.Reviewer, Environment: act.Environment, Token: act.Token.ID,
		Person: act.Person, Publisher: act.Publisher, Cause: act.Cause, KeysVersion: act.KeysVersion, Reviews: act.Reviews,
	}
	if !act.Digest.IsZero() {
		out.Digest = act.Digest.String()
	}
	return out
}

// reviewAct asks for permission where the act was done. Anyone who may not review learns nothing of what CONTROL has.
func (a *api) reviewAct(ctx context.Context, in *reviewAct) (*actBody, error) {
	question := access.Question{Principal: caller(ctx), Action: access.Administer}
	reviewed, known := a.options.Acts.Find(ctx, in.Sequence)
	if known && reviewed.Environment != "" {
		question.Action, question.Resource = access.Approve, a.resource(ctx, reviewed.Environment)
	}
	if p := a.refusedTo(ctx, question); p != nil {
		return nil, p
	}
	if a.options.People.Gone(reviewed.Actor) {
		return nil, a.problem(fmt.Errorf("%w: the person who did it was erased, and may be you", access.ErrOwnAct))
	}
	reviewer, err := a.options.People.Identify(ctx, caller(ctx))
	if err != nil {
		return nil, a.problem(err)
	}
	act, err := a.options.Acts.Review(ctx, reviewer, a.options.Tokens.Line, in.Sequence, in.Reason)
	if err != nil {
		return nil, a.problem(err)
	}
	return &actBody{Body: a.act(ctx, act)}, nil
}
