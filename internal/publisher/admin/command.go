package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// command returns what a command of the API means in an environment.
func (s *server) command(ctx context.Context, environment string, c api.Command) (decide.Command, error) {
	switch c.Type {
	case "documents":
		return s.documents(ctx, environment, c)
	case "rollback":
		return s.rollBack(ctx, environment, c)
	case "promote":
		return s.promote(ctx, environment, c)
	}
	id, err := documentID(c.Kind, c.Key)
	if err != nil {
		return nil, err
	}
	seen, err := commandPrecondition(c)
	if err != nil {
		return nil, err
	}
	switch c.Type {
	case "put":
		return decide.Put{ID: id, Body: c.Document, If: seen}, nil
	case "patch":
		return decide.Patch{ID: id, Merge: c.Patch, If: seen}, nil
	case "delete":
		return decide.Delete{ID: id, If: seen}, nil
	case "archive":
		return decide.Archive{ID: id, Force: c.Force, If: seen}, nil
	case "toggle":
		if id.Kind != document.KindFlag {
			return nil, badRequest("Only a flag can be toggled.")
		}
		return decide.Toggle{Flag: id.Key, On: c.On, If: seen}, nil
	default:
		return nil, badRequest("There is no such command.")
	}
}

func commandPrecondition(c api.Command) (decide.Precondition, error) {
	w := api.WriteHeaders{IfMatch: c.IfMatch}
	if c.IfAbsent {
		w.IfNoneMatch = "*"
	}
	return preconditionOf(w)
}

func documentID(kind, key string) (document.ID, error) {
	switch {
	case kind == string(document.KindSettings) && (key == "" || key == document.SettingsKey):
		return settingsID(), nil
	case key == "":
		return document.ID{}, badRequest("The command does not say which document it is about.")
	case kind == "" || kind == string(document.KindFlag):
		return document.ID{Kind: document.KindFlag, Key: key}, nil
	case kind == string(document.KindSegment):
		return document.ID{Kind: document.KindSegment, Key: key}, nil
	default:
		return document.ID{}, badRequest("The kind of a document is flag, segment or settings.")
	}
}

// documents returns the transfer of several documents, which must have been seen in the epoch that the environment has.
func (s *server) documents(ctx context.Context, environment string, c api.Command) (decide.Command, error) {
	if len(c.Changes) == 0 {
		return nil, badRequest("The command has no documents.")
	}
	state, err := s.current(ctx, environment)
	if err != nil {
		return nil, err
	}
	t := decide.Transfer{Epoch: state.Position().Epoch}
	for _, change := range c.Changes {
		id, err := documentID(change.Kind, change.Key)
		if err != nil {
			return nil, err
		}
		seen, err := preconditionOf(api.WriteHeaders{IfMatch: change.IfMatch})
		if err != nil {
			return nil, err
		}
		if change.IfMatch != "" && !seen.Match.In(t.Epoch) {
			t.Epoch = "" // refused, as something that was seen in another history
		}
		t.Changes = append(t.Changes, document.Document{Kind: id.Kind, Key: id.Key, Body: wantedDocument(change)})
		t.Bases = append(t.Bases, requests.Base{Kind: id.Kind, Key: id.Key, Revision: seen.Match.Revision})
	}
	return t, nil
}

// wantedDocument returns the wanted document without white space, nil to delete it.
func wantedDocument(c api.CommandChange) []byte {
	if string(c.Document) == "null" {
		return nil
	}
	body := jsontext.Value(slices.Clone(c.Document))
	if body.Compact() != nil { // the evaluator says why
		return c.Document
	}
	return slices.Clone(body) // without the room that the white space took
}

func (s *server) rollBack(ctx context.Context, environment string, c api.Command) (decide.Command, error) {
	to, err := changelog.ParseToken(c.Revision)
	if err != nil {
		return nil, badRequest("A roll-back needs a revision, <epoch8>-<revision>.")
	}
	var id document.ID
	if c.Key != "" || c.Kind != "" {
		if id, err = documentID(c.Kind, c.Key); err != nil {
			return nil, err
		}
	}
	service, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, s.problem(err)
	}
	t, err := service.RollBack(ctx, id, to)
	if err != nil {
		return nil, s.problem(err)
	}
	t.Source = strings.Join([]string{"rollback", string(id.Kind), id.Key, to.String()}, "\x00")
	return t, nil
}

// promote returns the transfer of documents from another environment, which the caller must be permitted to read.
func (s *server) promote(ctx context.Context, environment string, c api.Command) (decide.Command, error) {
	if c.From == environment {
		return nil, badRequest("An environment cannot be promoted to itself.")
	}
	question := access.Question{Principal: caller(ctx), Action: access.Read, Resource: s.resource(ctx, c.From)}
	if p := s.refusedTo(ctx, question); p != nil {
		return nil, p
	}
	source, err := s.current(ctx, c.From)
	if err != nil {
		return nil, err
	}
	target, err := s.current(ctx, environment)
	if err != nil {
		return nil, err
	}
	ids, err := promoted(c, source, target)
	if err != nil {
		return nil, err
	}
	t := decide.Promote(source, target, ids)
	t.Source = strings.Join(append([]string{"promote", c.From, strconv.FormatBool(c.Prune)}, c.Flags...), "\x00")
	return t, nil
}

func (s *server) current(ctx context.Context, environment string) (decide.State, error) {
	service, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, s.problem(err)
	}
	state, err := service.Current(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	return state, nil
}

// promoted returns the flags that a promotion names; if it names none, all flags and segments of the source. Pruning, it may also name
// flags of the target alone, and all is what either has. Settings stay.
func promoted(c api.Command, source, target decide.State) (ids []document.ID, err error) {
	for _, key := range c.Flags {
		id := document.ID{Kind: document.KindFlag, Key: key}
		_, there := source.Document(id)
		_, here := target.Document(id)
		if !there && !(here && c.Prune) {
			return nil, missingFlag(c.From, key, here)
		}
		ids = append(ids, id)
	}
	if len(c.Flags) > 0 {
		return ids, nil
	}
	states := []decide.State{source}
	if c.Prune {
		states = append(states, target)
	}
	for _, state := range states {
		for d := range state.Documents() {
			if d.Kind != document.KindSettings {
				ids = append(ids, d.ID())
			}
		}
	}
	return ids, nil
}

// missingFlag is the problem of a flag that is to be promoted from an environment without it. here tells that the target has it.
func missingFlag(from, key string, here bool) *problem {
	detail := fmt.Sprintf("There is no flag %q in %s.", key, from)
	if here {
		detail += " To delete it here, prune."
	}
	return newProblem(http.StatusNotFound, api.ProblemNotFound, detail)
}

func badRequest(detail string) *problem {
	return newProblem(http.StatusUnprocessableEntity, api.ProblemInvalidRequest, detail)
}
