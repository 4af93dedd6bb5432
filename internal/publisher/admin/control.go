package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

const controlPath = "/api/v1/control"

type listRecords struct{ api.RecordQuery }

type reviewRecord struct {
	Sequence uint64 `path:"sequence" minimum:"1" doc:"The number of the record."`
	Reason   string `header:"Flagside-Reason" maxLength:"500" doc:"What the review found. It stands in CONTROL for ever and cannot be erased: do not name a person."`
}

// registerControl adds what tells of administration.
func (s *server) registerControl(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, controlPath+"/records", "listControl",
		"List what was done to the installation, the newest first: environments, tokens, persons, policies, keys and repairs", accessTag)), s.listRecords)
	huma.Register(h, operation(http.MethodPost, controlPath+"/records/{sequence}/review", "reviewControl",
		"Close what breaking the glass has left open: of an environment, who may approve there, and otherwise who may administer", accessTag), s.reviewRecord)
}

func (s *server) listRecords(ctx context.Context, in *listRecords) (*content[api.RecordList], error) {
	all, err := s.options.Acts.List(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	out := &content[api.RecordList]{Body: api.RecordList{Items: []api.Record{}}}
	for _, act := range slices.Backward(all) {
		if in.Before != 0 && act.Sequence >= in.Before || in.NeedsReview && !act.ReviewOpen() {
			continue
		}
		if n := len(out.Body.Items); n == in.Limit {
			out.Body.Next = out.Body.Items[n-1].Sequence
			break
		}
		out.Body.Items = append(out.Body.Items, s.record(ctx, act))
	}
	return out, nil
}

func (s *server) record(ctx context.Context, act access.Act) api.Record {
	out := api.Record{
		Sequence: act.Sequence, Time: act.Time, Type: act.Type, Actor: act.Actor, Names: s.names(ctx, act.Actor, act.Reviewer), Reason: act.Reason,
		Breaks: act.BreakGlass, ReviewOpen: act.ReviewOpen(), ReviewedBy: act.Reviewer, Environment: act.Environment, Token: act.Token.ID,
		Person: act.Person, Publisher: act.Publisher, Cause: act.Cause, KeysVersion: act.KeysVersion, Reviews: act.Reviews,
	}
	if !act.Digest.IsZero() {
		out.Digest = act.Digest.String()
	}
	return out
}

// reviewRecord asks for permission where the act was done. Principals who may not review learn nothing of what CONTROL has.
func (s *server) reviewRecord(ctx context.Context, in *reviewRecord) (*content[api.Record], error) {
	question := access.Question{Principal: caller(ctx), Action: access.Administer}
	reviewed, known := s.options.Acts.Find(ctx, in.Sequence)
	if known && reviewed.Environment != "" {
		question.Action, question.Resource = access.Approve, s.resource(ctx, reviewed.Environment)
	}
	if p := s.refusedTo(ctx, question); p != nil {
		return nil, p
	}
	if s.options.People.Gone(reviewed.Actor) {
		return nil, s.problem(fmt.Errorf("%w: the person who did it was erased, and may be you", access.ErrOwnAct))
	}
	reviewer, err := s.options.People.Identify(ctx, caller(ctx))
	if err != nil {
		return nil, s.problem(err)
	}
	act, err := s.options.Acts.Review(ctx, reviewer, s.options.Tokens.Line, in.Sequence, in.Reason)
	if err != nil {
		return nil, s.problem(err)
	}
	return &content[api.Record]{Body: s.record(ctx, act)}, nil
}
