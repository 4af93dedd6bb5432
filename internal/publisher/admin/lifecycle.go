package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

const day = 24 * time.Hour

type readLifecycle struct {
	EnvironmentPath
	api.LifecycleQuery
}

func (s *server) registerLifecycle(h huma.API) {
	op := reading(operation(http.MethodGet, "/api/v1/environments/{environment}/lifecycle", "readLifecycle",
		"Tell which flags have expired, expire soon, or give everyone the same and have not changed for long", flagsTag))
	huma.Register(h, op, func(ctx context.Context, in *readLifecycle) (*content[api.Lifecycle], error) {
		body, err := s.lifecycle(ctx, in)
		if err != nil {
			return nil, s.problem(err)
		}
		return &content[api.Lifecycle]{Body: body}, nil
	})
}

func (s *server) lifecycle(ctx context.Context, in *readLifecycle) (api.Lifecycle, error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return api.Lifecycle{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	state, err := service.Current(ctx)
	if err != nil {
		return api.Lifecycle{}, err
	}
	settings := lifecycle.Settings{ExpiringWithin: time.Duration(in.ExpiringDays) * day, StaleAfter: time.Duration(in.StaleDays) * day}
	now := time.Now()
	if settings.LastUse, err = s.lastUse(ctx, in.Environment, now.Add(-settings.StaleAfter)); err != nil {
		return api.Lifecycle{}, err
	}
	unchanged, err := service.RevisionBefore(ctx, now.Add(-settings.StaleAfter))
	if err != nil {
		return api.Lifecycle{}, err
	}
	found := api.Lifecycle{Items: []api.FlagLifecycle{}}
	for _, standing := range lifecycle.Of(state.Rules().Flags(), unchanged, settings, now) {
		if in.Stage == "" || in.Stage == string(standing.Stage) {
			found.Items = append(found.Items, newLifecycle(standing))
		}
	}
	return found, nil
}

func newLifecycle(s lifecycle.Standing) api.FlagLifecycle {
	f := s.Flag
	return api.FlagLifecycle{
		Key: f.Key(), Revision: f.Revision(), Stage: string(s.Stage), Owner: f.Owner(), Kind: f.Kind(), Expires: f.Expires(), Everyone: s.Everyone, Off: s.Off,
		LastUse: s.LastUse, Unused: s.Unused,
	}
}
