package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/manifest"
)

const (
	// manifestReason is what the log says of a change without a reason: OpenFeature's command line cannot give one.
	manifestReason = "pushed as an OpenFeature manifest"
	// manifestAttempts is how often a change is derived anew because the flag was changed meanwhile.
	manifestAttempts = 5
)

// deriving returns the command that makes of a flag, as it is in a state, what is wanted. No command means that it is so already.
type deriving func(decide.State) (decide.Command, error)

func (s *server) createFromManifest(ctx context.Context, environment string, in *CreateManifestFlag) (*manifestAnswer[api.WrittenManifestFlag], error) {
	wanted, err := wantedFlag(in.Body.Key, in.Body.Type, in.Body.Name, in.Body.Description, in.Body.DefaultValue)
	if err != nil {
		return nil, err
	}
	body, err := wanted.Document()
	if err != nil {
		return nil, badRequest(capitalised(err.Error()))
	}
	id := document.ID{Kind: document.KindFlag, Key: wanted.Key}
	err = s.writeManifest(ctx, environment, in.ManifestHeaders, func(state decide.State) (decide.Command, error) {
		if _, exists := state.Document(id); exists {
			return nil, newProblem(http.StatusConflict, api.ProblemManifestConflict, existing(state, id.Key))
		}
		return decide.Put{ID: id, Body: body, If: decide.Precondition{Absent: true}}, s.missingFrom(ctx, environment, id.Key)
	})
	if err != nil {
		return nil, err
	}
	return s.writtenManifestFlag(ctx, environment, wanted.Key)
}

// existing says that a flag exists, and why it may not be seen in the manifest.
func existing(state decide.State, key string) string {
	if f := state.Rules().Flag(key); f != nil {
		if _, err := manifest.Of(f); err != nil {
			return fmt.Sprintf("Flag %q exists already. It is not in the manifest: it %s.", key, err)
		}
	}
	return fmt.Sprintf("Flag %q exists already.", key)
}

func (s *server) updateFromManifest(ctx context.Context, environment string, in *UpdateManifestFlag) (*manifestAnswer[api.WrittenManifestFlag], error) {
	if in.Key != in.Body.Key {
		return nil, newProblem(http.StatusBadRequest, api.ProblemInvalidRequest, "The key in the path and the key in the body must be the same.")
	}
	wanted, err := wantedFlag(in.Body.Key, in.Body.Type, in.Body.Name, in.Body.Description, in.Body.DefaultValue)
	if err != nil {
		return nil, err
	}
	id := document.ID{Kind: document.KindFlag, Key: wanted.Key}
	err = s.writeManifest(ctx, environment, in.ManifestHeaders, func(state decide.State) (decide.Command, error) {
		live, exists := state.Document(id)
		if !exists {
			return nil, s.notFoundIn(ctx, environment, id.Key)
		}
		patch, err := manifest.Change(state.Rules().Flag(id.Key), wanted)
		switch {
		case err != nil:
			return nil, newProblem(http.StatusConflict, api.ProblemManifestConflict, capitalised(err.Error()))
		case patch == nil:
			return nil, nil
		}
		return decide.Patch{ID: id, Merge: patch, If: decide.Precondition{Match: decide.Token(state, live)}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.writtenManifestFlag(ctx, environment, wanted.Key)
}

func (s *server) archiveFromManifest(ctx context.Context, environment string, in *ArchiveManifestFlag) (*manifestAnswer[api.ArchivedManifestFlag], error) {
	id := document.ID{Kind: document.KindFlag, Key: in.Key}
	err := s.writeManifest(ctx, environment, in.ManifestHeaders, func(state decide.State) (decide.Command, error) {
		live, exists := state.Document(id)
		if !exists {
			return nil, s.notFoundIn(ctx, environment, id.Key)
		}
		return decide.Delete{ID: id, If: decide.Precondition{Match: decide.Token(state, live)}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &manifestAnswer[api.ArchivedManifestFlag]{
		Capabilities: s.capabilities(ctx, environment),
		Body: api.ArchivedManifestFlag{
			Message:    fmt.Sprintf("Flag %q is archived. Bring it back with flagside flag revive %s.", id.Key, id.Key),
			ArchivedAt: time.Now().UTC(),
		},
	}, nil
}

// wantedFlag returns the flag that a request wants.
func wantedFlag(key, kind, name string, description *string, byDefault value) (manifest.Flag, error) {
	f := manifest.Flag{Key: key, Type: manifest.Type(kind), Default: jsontext.Value(byDefault)}
	if description != nil {
		f.Description = *description
	}
	if name != "" && name != key {
		return f, badRequest("Flags have no name beside their key: leave name out, and write it into the description.")
	}
	if err := f.Validate(); err != nil {
		return f, badRequest(capitalised(err.Error()))
	}
	return f, nil
}

// writeManifest carries out what is derived from the newest state, and derives it anew when the flag was changed meanwhile. The contract has no
// preconditions: what a manifest does not say stays as it is, and of what it says the last word counts.
func (s *server) writeManifest(ctx context.Context, environment string, h api.ManifestHeaders, derive deriving) error {
	c, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return s.problem(err)
	}
	origin := originOf(ctx, api.ChangeHeaders{Reason: cmp.Or(h.Reason, manifestReason)})
	for range manifestAttempts {
		state, currentErr := c.Current(ctx)
		if currentErr != nil {
			return s.problem(currentErr)
		}
		command, deriveErr := derive(state)
		if deriveErr != nil || command == nil {
			return deriveErr
		}
		if _, err = c.Do(ctx, origin, command); err == nil {
			return nil
		}
		refusal, refused := errors.AsType[*decide.Refusal](err)
		switch {
		case refused && refusal.Cause == decide.CauseApprovalRequired:
			return s.proposeInstead(ctx, c, environment, origin, command, refusal)
		case !refused || refusal.Cause != decide.CausePreconditionFailed:
			return s.problem(err)
		}
	}
	return s.problem(err)
}

// proposeInstead opens a change request for a command that needs approvals, unless there is one for the same, and says so.
func (s *server) proposeInstead(
	ctx context.Context, c *control.Service, environment string, origin decide.Origin, command decide.Command, why *decide.Refusal,
) error {
	p := refused(why)
	r, err := proposed(ctx, c, origin, decide.ProposalSpec{Command: command})
	if err != nil {
		p.Detail += " Nothing was changed, and no change request could be opened: " + err.Error()
		return p
	}
	p.Request = r.ID
	p.Detail = fmt.Sprintf("Nothing was changed yet: policies want others to agree. Change request %s asks for it and is %s: "+
		"see flagside request get %s -e %s, and push again when it is applied.", r.ID, r.Status, r.ID, environment)
	return p
}

// proposed returns the change request that is not ended and asks for the same, or a new one.
func proposed(ctx context.Context, c *control.Service, origin decide.Origin, p decide.ProposalSpec) (requests.Request, error) {
	all, err := c.Requests(ctx)
	if err != nil {
		return requests.Request{}, err
	}
	for _, r := range all {
		if !r.Ended() && r.Proposal.Command == p.Fingerprint() {
			return r, nil
		}
	}
	return c.Open(ctx, origin, p)
}

// writtenManifestFlag returns a flag as it is now.
func (s *server) writtenManifestFlag(ctx context.Context, environment, key string) (*manifestAnswer[api.WrittenManifestFlag], error) {
	c, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, s.problem(err)
	}
	state, err := c.Known()
	if err != nil {
		return nil, s.problem(err)
	}
	f := state.Rules().Flag(key)
	if f == nil { // it was archived meanwhile
		return nil, s.notFoundIn(ctx, environment, key)
	}
	told, err := manifest.Of(f)
	if err != nil {
		return nil, newProblem(http.StatusConflict, api.ProblemManifestConflict, existing(state, key))
	}
	changed, err := changedAt(ctx, c, f.Revision())
	if err != nil {
		changed = time.Now().UTC() // it was written just now, and an error would say that it was not
	}
	return &manifestAnswer[api.WrittenManifestFlag]{
		Capabilities: s.capabilities(ctx, environment), Body: api.WrittenManifestFlag{Flag: newManifestFlag(told), UpdatedAt: changed},
	}, nil
}

// changedAt returns when a revision was made.
func changedAt(ctx context.Context, c *control.Service, revision uint64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	for record, err := range c.Backwards(ctx, revision+1) {
		return record.Time, err
	}
	return time.Time{}, fmt.Errorf("%w: revision %d", control.ErrUnconfirmed, revision)
}
