package admin

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/following"
)

// notFollowed is the state of a source that owns documents and that this publisher does not follow.
const notFollowed = "not-followed"

func (s *server) registerSources(h huma.API) {
	op := reading(operation(http.MethodGet, "/api/v1/environments/{environment}/sources", "listSources",
		"List the files and objects that an environment follows, with their states", environmentsTag))
	huma.Register(h, op, func(ctx context.Context, in *EnvironmentPath) (*content[api.SourceList], error) {
		service, err := s.options.Environments.Control(ctx, in.Environment)
		if err != nil {
			return nil, s.problem(err)
		}
		state, err := service.Current(ctx)
		if err != nil {
			return nil, s.problem(err)
		}
		return &content[api.SourceList]{Body: api.SourceList{Items: s.sources(in.Environment, state)}}, nil
	})
}

// sources returns those that are followed here, then those that only own documents.
func (s *server) sources(environment string, state decide.State) []api.Source {
	owned := make(map[string]int)
	for d := range state.Documents() {
		if name := ownership.Followed(ownership.Owner(d.Body)); name != "" {
			owned[name]++
		}
	}
	items := []api.Source{}
	for _, f := range s.options.Sources(environment) {
		item := newSource(f)
		item.Documents = owned[item.Name]
		delete(owned, item.Name)
		items = append(items, item)
	}
	for _, name := range slices.Sorted(maps.Keys(owned)) {
		item := api.Source{Name: name, Kind: "files", Place: strings.TrimPrefix(ownership.Place(name), "the files in "), State: notFollowed, Documents: owned[name]}
		if namespace, _ := ownership.Object(name); namespace != "" {
			item.Kind, item.Place = "kubernetes", namespace
		}
		items = append(items, item)
	}
	return items
}

func newSource(s following.Status) api.Source {
	item := api.Source{
		Name: s.Name(), Kind: s.Kind(), Place: s.Place(), State: string(s.State), Since: s.Since.UTC(), Detail: s.Detail, ChangeRequest: s.Request,
		Version: s.Version, Applied: s.Applied,
	}
	for _, id := range s.Conflicts {
		item.Conflicts = append(item.Conflicts, api.EventDocument{Kind: string(id.Kind), Key: id.Key})
	}
	return item
}
