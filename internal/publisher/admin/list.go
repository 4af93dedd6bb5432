package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

type listDocuments struct {
	EnvironmentPath
	api.DocumentQuery
}

type documentList struct {
	Revision string `header:"Flagside-Revision" doc:"The revision of the environment that was read."`
	Body     api.DocumentList
}

// list reads documents from memory, which is as old as it says.
func (s *server) list(ctx context.Context, kind document.Kind, in *listDocuments) (*documentList, error) {
	c, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	status := c.Status()
	state, err := c.Known()
	if err != nil {
		return nil, s.problem(err)
	}
	found := documentsAfter(state, kind, in.After, in.Limit+1)
	out := &documentList{Revision: state.Position().Token().String()}
	out.Body.Revision = out.Revision
	out.Body.AgeMs = ageMs(status)
	if len(found) > in.Limit {
		found = found[:in.Limit]
		out.Body.Next = found[in.Limit-1].Key
	}
	out.Body.Items = make([]api.DocumentInList, len(found))
	for i, d := range found {
		out.Body.Items[i] = api.DocumentInList{Key: d.Key, Revision: decide.Token(state, d).String()}
		if !in.KeysOnly {
			out.Body.Items[i].Document = value(d.Body)
		}
	}
	return out, nil
}

// documentsAfter returns the first documents of a kind behind a key, by key: at most so many. All pages of a list of flags together take time in
// proportion to the documents.
func documentsAfter(state decide.State, kind document.Kind, after string, most int) []document.Document {
	if kind == document.KindFlag {
		return flagsAfter(state, after, most)
	}
	var found []document.Document
	for d := range state.Documents() {
		if d.Kind == kind && d.Key > after {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b document.Document) int { return strings.Compare(a.Key, b.Key) })
	return found[:min(most, len(found))]
}

// flagsAfter is documentsAfter of flags, which the rules have in order: also those that cannot be compiled.
func flagsAfter(state decide.State, after string, most int) []document.Document {
	flags := state.Rules().Flags()
	begin, is := slices.BinarySearchFunc(flags, after, func(f *eval.Flag, key string) int { return strings.Compare(f.Key(), key) })
	if is {
		begin++
	}
	found := make([]document.Document, 0, min(most, len(flags)-begin))
	for _, f := range flags[begin:] {
		if len(found) == most {
			break
		}
		if d, exists := state.Document(document.ID{Kind: document.KindFlag, Key: f.Key()}); exists {
			found = append(found, d)
		}
	}
	return found
}
