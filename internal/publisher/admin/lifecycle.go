package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

const (
	lifecyclePath       = "/api/v1/environments/{environment}/lifecycle"
	lifecyclePolicyPath = lifecyclePath + "/policy"
)

type readLifecycle struct {
	EnvironmentPath
	api.LifecycleQuery
}

type patchLifecyclePolicy struct {
	EnvironmentPath
	api.ChangeHeaders

	RawBody []byte `contentType:"application/merge-patch+json"`
}

type previewLifecyclePolicy struct {
	EnvironmentPath

	RawBody []byte `contentType:"application/merge-patch+json"`
}

func (s *server) registerLifecycle(h huma.API) {
	op := reading(operation(http.MethodGet, lifecyclePath, "readLifecycle",
		"Tell which flags have expired, expire soon, or give everyone the same and have not changed for long, and what the lifecycle policy wants of them", flagsTag))
	huma.Register(h, op, func(ctx context.Context, in *readLifecycle) (*content[api.Lifecycle], error) {
		body, err := s.lifecycle(ctx, in)
		if err != nil {
			return nil, s.problem(err)
		}
		return &content[api.Lifecycle]{Body: body}, nil
	})
	get := reading(operation(http.MethodGet, lifecyclePolicyPath, "getLifecyclePolicy", "Read the lifecycle policy of an environment, and what it wants now", flagsTag))
	huma.Register(h, get, func(ctx context.Context, in *EnvironmentPath) (*content[api.LifecyclePolicyResult], error) {
		return s.lifecyclePolicy(ctx, in.Environment, nil)
	})
	s.registerLifecyclePolicyChange(h)
}

func (s *server) registerLifecyclePolicyChange(h huma.API) {
	body := func() *huma.RequestBody {
		return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{api.MergePatchMedia: {Schema: &huma.Schema{
			Type: huma.TypeObject, AdditionalProperties: true, Description: "The members to change; null removes one.",
		}, Example: map[string]any{"onExpiry": map[string]any{"experiment": map[string]any{"action": "freeze"}}}}}}
	}
	patch := operation(http.MethodPatch, lifecyclePolicyPath, "patchLifecyclePolicy",
		"Change the lifecycle policy of an environment by a JSON Merge Patch (RFC 7396), and tell what it wants now", flagsTag)
	patch.RequestBody, patch.SkipValidateBody = body(), true // what it makes is validated
	huma.Register(h, patch, func(ctx context.Context, in *patchLifecyclePolicy) (*content[api.LifecyclePolicyResult], error) {
		service, err := s.options.Environments.Control(ctx, in.Environment)
		if err != nil {
			return nil, s.problem(err)
		}
		if _, err := service.HandleRequest(ctx, originOf(ctx, in.ChangeHeaders), decide.PatchLifecycle{Merge: in.RawBody}); err != nil {
			return nil, s.ledgerProblem(err)
		}
		return s.lifecyclePolicy(ctx, in.Environment, nil)
	})
	patch.RequestBody.Content = body().Content
	preview := needing(access.Read, operation(http.MethodPost, lifecyclePolicyPath+"/preview", "previewLifecyclePolicy",
		"Tell what a lifecycle policy would want now, without setting it", flagsTag))
	preview.Metadata[mustAuthenticate] = true
	preview.RequestBody, preview.SkipValidateBody = body(), true
	huma.Register(h, preview, func(ctx context.Context, in *previewLifecyclePolicy) (*content[api.LifecyclePolicyResult], error) {
		return s.lifecyclePolicy(ctx, in.Environment, decide.PatchLifecycle{Merge: in.RawBody}.Of)
	})
	preview.RequestBody.Content = body().Content
}

// lifecyclePolicy returns the policy that holds, or what change makes of it, with the flags that it wants something of now.
func (s *server) lifecyclePolicy(
	ctx context.Context, environment string, change func(lifecycle.Policy) (lifecycle.Policy, error),
) (*content[api.LifecyclePolicyResult], error) {
	found, policy, err := s.lives(ctx, environment, change)
	if err != nil {
		return nil, s.problem(err)
	}
	out := api.LifecyclePolicyResult{Policy: activity.LifecyclePolicy(policy), Flags: []api.FlagLifecycle{}}
	for _, life := range found {
		if life.Intent.Action != "" {
			out.Flags = append(out.Flags, newLifecycle(life))
		}
	}
	return &content[api.LifecyclePolicyResult]{Body: out}, nil
}

// lives returns where the flags of an environment are in their lives.
func (s *server) lives(
	ctx context.Context, environment string, change func(lifecycle.Policy) (lifecycle.Policy, error),
) ([]control.FlagLife, lifecycle.Policy, error) {
	service, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, lifecycle.Policy{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	return service.LivesOf(ctx, change, func(since time.Time) (func(string) (time.Time, bool), error) {
		return s.lastUse(ctx, environment, since)
	})
}

func (s *server) lifecycle(ctx context.Context, in *readLifecycle) (api.Lifecycle, error) {
	all, _, err := s.lives(ctx, in.Environment, func(p lifecycle.Policy) (lifecycle.Policy, error) {
		if in.ExpiringDays > 0 {
			p.ExpiringDays = in.ExpiringDays
		}
		if in.StaleDays > 0 {
			p.StaleDays = in.StaleDays
		}
		return p, nil
	})
	if err != nil {
		return api.Lifecycle{}, err
	}
	found := api.Lifecycle{Items: []api.FlagLifecycle{}}
	for _, life := range all {
		if in.Stage == "" || in.Stage == string(life.Stage) {
			found.Items = append(found.Items, newLifecycle(life))
		}
	}
	return found, nil
}

func newLifecycle(l control.FlagLife) api.FlagLifecycle {
	f := l.Flag
	out := api.FlagLifecycle{
		Key: f.Key(), Revision: f.Revision(), Stage: string(l.Stage), Since: l.Since, Owner: f.Owner(), Kind: f.Kind(), Expires: f.Expires(),
		LastUse: l.LastUse, Unused: l.Unused,
	}
	out.Everyone, out.Off = l.Everyone()
	if l.Intent.Action == "" {
		return out
	}
	out.Action, out.FreezeTo, out.Detail = string(l.Intent.Action), l.Intent.Variant, l.Intent.Blocked
	switch {
	case l.Intent.Done:
		out.ActionState = "done"
	case l.Intent.Blocked != "":
		out.ActionState = "blocked"
	case l.Request.ID != "" && l.Request.Waits():
		out.ActionState, out.ChangeRequest = "waiting", l.Request.ID
	case l.Remembered:
		out.ActionState, out.ChangeRequest = "rejected", l.Request.ID
	default:
		out.ActionState = "due"
	}
	return out
}
