package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
)

type listLedger struct {
	EnvironmentPath
	api.LedgerQuery
}

// selects reports whether an event is asked for.
func (in *listLedger) selects(e control.RecordedEvent) bool {
	return (in.Actor == "" || in.Actor == e.By) &&
		(in.Request == "" || in.Request == e.Request) &&
		(in.Since.IsZero() || !e.At.Before(in.Since)) &&
		(in.Until.IsZero() || e.At.Before(in.Until))
}

func (s *server) registerLedger(h huma.API) {
	op := reading(operation(http.MethodGet, "/api/v1/environments/{environment}/ledger", "listFacts",
		"List what was decided and refused in an environment, the newest first", requestsTag))
	op.Metadata[mustAuthenticate] = true // it tells who was refused what
	huma.Register(h, op, s.listLedger)
}

func (s *server) listLedger(ctx context.Context, in *listLedger) (*content[api.EventList], error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	events, err := s.options.Environments.Ledger(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	var newest []api.Event // of those asked for, at most one more than wanted, oldest first; events have whole documents
	for e, err := range events {
		if err != nil {
			return nil, s.problem(err)
		}
		if in.Before != 0 && e.Sequence >= in.Before {
			break
		}
		if !in.selects(e) {
			continue
		}
		if newest = append(newest, s.event(ctx, e)); len(newest) > in.Limit+1 {
			newest = newest[1:]
		}
	}
	out := newEventList(newest, in.Limit)
	for i, f := range out.Items {
		out.Items[i].Names = s.names(ctx, append(f.Approvers, f.Actor)...)
	}
	return &content[api.EventList]{Body: out}, nil
}

func newEventList(events []api.Event, limit int) api.EventList {
	slices.Reverse(events)
	out := api.EventList{Items: events}
	if len(events) > limit {
		out.Items = events[:limit]
		out.Next = events[limit-1].Sequence
	}
	if out.Items == nil {
		out.Items = []api.Event{}
	}
	return out
}

// event is activity.NewEvent with what is known of its review.
func (s *server) event(ctx context.Context, e control.RecordedEvent) api.Event {
	f := activity.NewEvent(e)
	if f.Breaks && f.Control > 0 {
		act, known := s.options.Acts.Find(ctx, f.Control)
		f.Review = known && act.ReviewOpen()
	}
	return f
}
