package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

type listDocuments struct {
	EnvironmentPath

	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many documents."`
	After string `query:"after" doc:"Begin after this key: next of the answer before."`
}

type documentList struct {
	Revision string `header:"Flagside-Revision" doc:"The revision of the environment that was read."`
	Body     DocumentList
}

// DocumentList is a part of the documents of one kind, by key.
type DocumentList struct {
	Revision string           `json:"revision" doc:"The revision of the environment that was read."`
	AgeMs    *int64           `json:"ageMs,omitempty" doc:"Milliseconds since it was certain that this is the newest revision; absent if never."`
	Items    []DocumentInList `json:"items" nullable:"false"`
	Next     string           `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
}

// DocumentInList is a document in a DocumentList.
type DocumentInList struct {
	Key      string `json:"key"`
	Revision string `json:"revision" doc:"The revision of the document."`
	Document value  `json:"document"`
}

// list reads documents from memory, which is as old as it says.
func (a *api) list(ctx context.Context, kind document.Kind, in *listDocuments) (*documentList, error) {
	c, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	status := c.Status()
	state, err := c.Known()
	if err != nil {
		return nil, a.problem(err)
	}
	found := documentsAfter(state, kind, in.After)
	out := &documentList{Revision: state.Position().Token().String()}
	out.Body.Revision = out.Revision
	out.Body.AgeMs = ageMs(status)
	if len(found) > in.Limit {
		found = found[:in.Limit]
		out.Body.Next = found[in.Limit-1].Key
	}
	out.Body.Items = make([]DocumentInList, len(found))
	for i, d := range found {
		out.Body.Items[i] = DocumentInList{Key: d.Key, Revision: decide.Token(state, d).String(), Document: value(d.Body)}
	}
	return out, nil
}

func documentsAfter(state decide.State, kind document.Kind, after string) []document.Document {
	var found []document.Document
	for d := range state.Documents() {
		if d.Kind == kind && d.Key > after {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b document.Document) int { return strings.Compare(a.Key, b.Key) })
	return found
}
