package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

const personsPath = "/api/v1/persons"

type erasePerson struct {
	api.AdministrationHeaders

	Body api.ErasePerson
}

func (s *server) registerPersons(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, personsPath, "listPersons",
		"List the persons who have changed something, the oldest first, erased ones too", accessTag)), s.listPersons)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, personsPath+"/erase", "erasePerson",
		"Delete the name and the subject of a person for good", accessTag)), s.erasePerson)
}

func (s *server) listPersons(context.Context, *struct{}) (*content[api.PersonList], error) {
	all, err := s.options.People.List()
	if err != nil {
		return nil, s.problem(err)
	}
	out := &content[api.PersonList]{}
	out.Body.Items = []api.Person{}
	for _, p := range all {
		out.Body.Items = append(out.Body.Items, api.Person(p))
	}
	return out, nil
}

func (s *server) erasePerson(ctx context.Context, in *erasePerson) (*content[api.Erased], error) {
	if err := s.endSessionsOf(ctx, in.Body.Person); err != nil {
		return nil, s.problem(err)
	}
	ids, err := s.options.People.Erase(ctx, caller(ctx), in.Body.Person, whyOf(in.AdministrationHeaders))
	if err != nil {
		return nil, s.problem(err)
	}
	for _, id := range ids {
		s.done(ctx, in.AdministrationHeaders, "person", id, "person erased")
	}
	return &content[api.Erased]{Body: api.Erased{IDs: ids}}, nil
}

// names returns what people call those with the ids, nil for none. A caller without credentials learns no names.
func (s *server) names(ctx context.Context, ids ...string) api.Names {
	if caller(ctx).PolicyID() == "" {
		return nil
	}
	var names api.Names
	for _, id := range ids {
		name, known := access.NameOf(s.options.Tokens, s.options.People, id)
		if !known {
			continue
		}
		if names == nil {
			names = make(api.Names)
		}
		names[id] = name
	}
	return names
}
