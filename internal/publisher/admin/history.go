package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
)

// historyTimeout bounds reading the changes of a document.
const historyTimeout = 15 * time.Second

type historyPath struct {
	DocumentPath
	api.HistoryQuery
}

func (s *server) history(ctx context.Context, in *historyPath, id document.ID) (*content[api.History], error) {
	before, err := revisionBefore(in.Before)
	if err != nil {
		return nil, err
	}
	c, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var newest []changelog.Record // of those before, at most one more than asked for, oldest first
	known := false
	for record, err := range c.History(ctx, id) {
		if err != nil {
			return nil, s.problem(err)
		}
		known = true
		if record.Revision >= before {
			break
		}
		if newest = append(newest, record); len(newest) > in.Limit+1 {
			newest = newest[1:]
		}
	}
	if !known {
		return nil, s.problem(decide.NotFound(id))
	}
	out := newHistory(newest, in.Limit)
	for i, item := range out.Items {
		out.Items[i].Names = s.names(ctx, append(item.Approvers, item.Actor)...)
		out.Items[i].ServedIn = s.servedIn(ctx, in.Environment, item.Revision)
		if item.Document != nil {
			document := document.Document{Kind: id.Kind, Key: id.Key, Body: item.Document}
			out.Items[i].Warnings = places(c.WarningsOf(document))
		}
	}
	return &content[api.History]{Body: out}, nil
}

func revisionBefore(token string) (uint64, error) {
	if token == "" {
		return ^uint64(0), nil
	}
	t, err := changelog.ParseToken(token)
	if err != nil {
		return 0, newProblem(http.StatusUnprocessableEntity, api.ProblemInvalidRequest, "before must be a revision, <epoch8>-<revision>.")
	}
	return t.Revision, nil
}

func newHistory(records []changelog.Record, limit int) api.History {
	h := api.History{Items: []api.DocumentChange{}}
	slices.Reverse(records)
	if len(records) > limit {
		records = records[:limit]
		h.Next = records[limit-1].Position().Token().String()
	}
	for _, r := range records {
		h.Items = append(h.Items, newDocumentChange(r))
	}
	return h
}

func newDocumentChange(r changelog.Record) api.DocumentChange {
	c := api.DocumentChange{
		Revision: r.Position().Token().String(), Time: r.Time, OpID: r.OpID,
		Actor: r.Actor, Approvers: r.Approvers, Reason: r.Reason, Request: r.Request,
		Action: "put", Document: value(r.Put),
	}
	if r.Delete {
		c.Action, c.Document = "delete", nil
	}
	return c
}
