package admin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// Command is something to be done to the documents of an environment. What its members mean depends on the type.
type Command struct {
	_ struct{} `additionalProperties:"false"`

	Type     string          `json:"type" enum:"put,patch,delete,toggle,archive,documents,rollback,promote" example:"toggle" doc:"What is to be done."`
	Kind     string          `json:"kind,omitempty" enum:"flag,segment,settings" doc:"The kind of the document; absent is a flag."`
	Key      string          `json:"key,omitempty" example:"new-checkout" doc:"The key of the document; absent for documents, promote, and a roll-back of everything."`
	IfMatch  string          `json:"ifMatch,omitempty" example:"1f0c9a7e-42" doc:"The revision that the document must have, for put, patch, delete, toggle and archive."`
	IfAbsent bool            `json:"ifAbsent,omitzero" doc:"That the document must not exist, for put."`
	Document value           `json:"document,omitempty" doc:"The document, for put."`
	Patch    value           `json:"patch,omitempty" doc:"A JSON Merge Patch (RFC 7396), for patch."`
	On       bool            `json:"on,omitzero" doc:"Whether the flag is to be on, for toggle."`
	Force    bool            `json:"force,omitzero" doc:"Whether what depends on the document goes along, for archive."`
	Changes  []CommandChange `json:"changes,omitempty" nullable:"false" doc:"Several documents that change together, for documents."`
	Revision string          `json:"revision,omitempty" example:"1f0c9a7e-17" doc:"The revision to return to, for rollback."`
	From     string          `json:"from,omitempty" example:"staging" doc:"The environment to take documents from, for promote."`
	Flags    []string        `json:"flags,omitempty" nullable:"false" doc:"The flags to take, with all that they depend on, for promote; absent is all."`
	Prune    bool            `json:"prune,omitzero" doc:"Whether what the other environment does not have is deleted, for promote."`
}

// CommandChange is one of several documents that change together.
type CommandChange struct {
	_ struct{} `additionalProperties:"false"`

	Kind     string `json:"kind,omitempty" enum:"flag,segment,settings" doc:"The kind of the document; absent is a flag."`
	Key      string `json:"key,omitempty" doc:"The key of the document."`
	IfMatch  string `json:"ifMatch,omitempty" example:"1f0c9a7e-42" doc:"The revision that the document has been seen at; absent if it did not exist."`
	Document value  `json:"document,omitempty" doc:"The wanted document; absent or null deletes it."`
}

// command returns what a command of the API means in an environment.
func (a *api) command(ctx context.Context, environment string, c Command) (decide.Command, error) {
	switch c.Type {
	case "documents":
		return a.documents(ctx, environment, c)
	case "rollback":
		return a.rollBack(ctx, environment, c)
	case "promote":
		return a.promote(ctx, environment, c)
	}
	id, err := documentID(c.Kind, c.Key)
	if err != nil {
		return nil, err
	}
	seen, err := c.precondition()
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

func (c Command) precondition() (decide.Precondition, error) {
	w := WriteHeaders{IfMatch: c.IfMatch}
	if c.IfAbsent {
		w.IfNoneMatch = "*"
	}
	return w.precondition()
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
func (a *api) documents(ctx context.Context, environment string, c Command) (decide.Command, error) {
	if len(c.Changes) == 0 {
		return nil, badRequest("The command has no documents.")
	}
	state, err := a.current(ctx, environment)
	if err != nil {
		return nil, err
	}
	t := decide.Transfer{Epoch: state.Position().Epoch}
	for _, change := range c.Changes {
		id, err := documentID(change.Kind, change.Key)
		if err != nil {
			return nil, err
		}
		seen, err := WriteHeaders{IfMatch: change.IfMatch}.precondition()
		if err != nil {
			return nil, err
		}
		if change.IfMatch != "" && !seen.Match.In(t.Epoch) {
			t.Epoch = "" // refused, as something that was seen in another history
		}
		t.Changes = append(t.Changes, document.Document{Kind: id.Kind, Key: id.Key, Body: change.body()})
		t.Bases = append(t.Bases, requests.Base{Kind: id.Kind, Key: id.Key, Revision: seen.Match.Revision})
	}
	return t, nil
}

// body returns the wanted document, nil to delete it.
func (c CommandChange) body() []byte {
	if string(c.Document) == "null" {
		return nil
	}
	return c.Document
}

func (a *api) rollBack(ctx context.Context, environment string, c Command) (decide.Command, error) {
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
	service, err := a.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, a.problem(err)
	}
	t, err := service.RollBack(ctx, id, to)
	if err != nil {
		return nil, a.problem(err)
	}
	t.Source = strings.Join([]string{"rollback", string(id.Kind), id.Key, to.String()}, "\x00")
	return t, nil
}

// promote returns the transfer of documents from another environment, which the caller must be permitted to read.
func (a *api) promote(ctx context.Context, environment string, c Command) (decide.Command, error) {
	if c.From == environment {
		return nil, badRequest("An environment cannot be promoted to itself.")
	}
	question := access.Question{Principal: caller(ctx), Action: access.Read, Resource: a.resource(ctx, c.From)}
	if p := a.refusedTo(ctx, question); p != nil {
		return nil, p
	}
	source, err := a.current(ctx, c.From)
	if err != nil {
		return nil, err
	}
	target, err := a.current(ctx, environment)
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

func (a *api) current(ctx context.Context, environment string) (decide.State, error) {
	service, err := a.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, a.problem(err)
	}
	state, err := service.Current(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	return state, nil
}

// promoted returns the flags that a promotion names; if it names none, all flags and segments of the source. Pruning, it may also name
// flags of the target alone, and all is what either has. Settings stay.
func promoted(c Command, source, target decide.State) (ids []document.ID, err error) {
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
func missingFlag(from, key string, here bool) *Problem {
	detail := fmt.Sprintf("There is no flag %q in %s.", key, from)
	if here {
		detail += " To delete it here, prune."
	}
	return newProblem(http.StatusNotFound, typeNotFound, detail)
}

func badRequest(detail string) *Problem {
	return newProblem(http.StatusUnprocessableEntity, typeInvalidRequest, detail)
}
