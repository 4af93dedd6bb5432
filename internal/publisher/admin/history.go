package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
)

// historyTimeout bounds reading the changes of a document.
const historyTimeout = 15 * time.Second

type historyPath struct {
	DocumentPath

	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many changes."`
	Before string `query:"before" doc:"Only changes before this revision: next of the answer before."`
}

type historyBody struct {
	Body History
}

// History is a part of the changes of a document, newest first.
type History struct {
	Items []DocumentChange `json:"items" nullable:"false"`
	Next  string           `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
}

// DocumentChange is one change of a document, as it stands in the log.
type DocumentChange struct {
	Revision  string    `json:"revision"`
	Time      time.Time `json:"time"`
	OpID      string    `json:"opId" doc:"The same for all documents that were changed together."`
	Actor     string    `json:"actor" doc:"The opaque id of who made the change."`
	Approvers []string  `json:"approvers,omitempty" nullable:"false" doc:"The opaque ids of who agreed."`
	Names     Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Reason    string    `json:"reason,omitempty"`
	Request   string    `json:"changeRequest,omitempty"`
	Action    string    `json:"action" enum:"put,delete"`
	Document  value     `json:"document,omitempty" doc:"The document that was put."`

	Warnings []ProblemPlace `json:"warnings,omitempty" nullable:"false" doc:"Slips of the document that are tolerated, as the environment is now."`
}

func (a *api) history(ctx context.Context, in *historyPath, id document.ID) (*historyBody, error) {
	before, err := revisionBefore(in.Before)
	if err != nil {
		return nil, err
	}
	c, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var newest []changelog.Record // of those before, at most one more than asked for, oldest first
	known := false
	for record, err := range c.History(ctx, id) {
		if err != nil {
			return nil, a.problem(err)
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
		return nil, a.problem(decide.NotFound(id))
	}
	out := newHistory(newest, in.Limit)
	for i, item := range out.Items {
		out.Items[i].Names = a.names(ctx, append(item.Approvers, item.Actor)...)
		if item.Document != nil {
			document := document.Document{Kind: id.Kind, Key: id.Key, Body: item.Document}
			out.Items[i].Warnings = places(c.WarningsOf(document))
		}
	}
	return &historyBody{Body: out}, nil
}

func revisionBefore(token string) (uint64, error) {
	if token == "" {
		return ^uint64(0), nil
	}
	t, err := changelog.ParseToken(token)
	if err != nil {
		return 0, newProblem(http.StatusUnprocessableEntity, typeInvalidRequest, "before must be a revision, <epoch8>-<revision>.")
	}
	return t.Revision, nil
}

func newHistory(records []changelog.Record, limit int) History {
	h := History{Items: []DocumentChange{}}
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

func newDocumentChange(r changelog.Record) DocumentChange {
	c := DocumentChange{
		Revision: r.Position().Token().String(), Time: r.Time, OpID: r.OpID,
		Actor: r.Actor, Approvers: r.Approvers, Reason: r.Reason, Request: r.Request,
		Action: "put", Document: value(r.Put),
	}
	if r.Delete {
		c.Action, c.Document = "delete", nil
	}
	return c
}
