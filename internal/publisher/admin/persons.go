package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
)

const personsPath = "/api/v1/persons"

// Person is a person whom an issuer names and who has changed something.
type Person struct {
	ID      string    `json:"id" doc:"The opaque id that stands in the log. It stays there when the person is erased."`
	Name    string    `json:"name,omitempty" doc:"For people."`
	Subject string    `json:"subject,omitempty" example:"corp:8f3a" doc:"What policies call the person; absent if the person was erased, or if the data in PEOPLE is missing or was forged."`
	Created time.Time `json:"created" doc:"When the person got the id."`
	Erased  time.Time `json:"erased,omitzero" doc:"When the person was erased; absent if not."`
	Eraser  string    `json:"eraser,omitempty" doc:"The opaque id of who erased the person."`
}

type personList struct {
	Body struct {
		Items []Person `json:"items" nullable:"false"`
	}
}

type erasePerson struct {
	AdministrationHeaders

	Body struct {
		_ struct{} `additionalProperties:"false"`

		// In the body, because paths are kept by proxies and traces.
		Person string `json:"person" minLength:"1" maxLength:"512" example:"corp:8f3a" doc:"The id or the subject of the person."`
	}
}

type erasedBody struct {
	Body Erased
}

// Erased says what is left of a person.
type Erased struct {
	IDs []string `json:"ids" nullable:"false" doc:"The opaque ids of the person, which stay in the log and no longer lead to a person."`
}

func (a *api) registerPersons(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, personsPath, "listPersons",
		"List the persons who have changed something, the oldest first, erased ones too", accessTag)), a.listPersons)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, personsPath+"/erase", "erasePerson",
		"Delete the name and the subject of a person for good", accessTag)), a.erasePerson)
}

func (a *api) listPersons(context.Context, *struct{}) (*personList, error) {
	all, err := a.options.People.List()
	if err != nil {
		return nil, a.problem(err)
	}
	out := &personList{}
	out.Body.Items = []Person{}
	for _, p := range all {
		out.Body.Items = append(out.Body.Items, Person(p))
	}
	return out, nil
}

func (a *api) erasePerson(ctx context.Context, in *erasePerson) (*erasedBody, error) {
	ids, err := a.options.People.Erase(ctx, caller(ctx), in.Body.Person, in.why())
	if err != nil {
		return nil, a.problem(err)
	}
	for _, id := range ids {
		a.done(ctx, in.AdministrationHeaders, "person", id, "person erased")
	}
	return &erasedBody{Body: Erased{IDs: ids}}, nil
}

// Names are what people call those whose ids stand beside it.
type Names map[string]string

// names returns what people call those with the ids, nil for none. A caller without credentials learns no names.
func (a *api) names(ctx context.Context, ids ...string) Names {
	if caller(ctx).PolicyID() == "" {
		return nil
	}
	var names Names
	for _, id := range ids {
		name, known := a.nameOf(id)
		if !known {
			continue
		}
		if names == nil {
			names = make(Names)
		}
		names[id] = name
	}
	return names
}

// nameOf returns what people call a person, or the holder of a token.
func (a *api) nameOf(id string) (name string, known bool) {
	if name, known = a.options.Tokens.Name(id); known {
		return "token " + name, true
	}
	person, known := a.options.People.Find(id)
	if !person.Erased.IsZero() {
		return id + " (erased)", true
	}
	name = cmp.Or(person.Name, person.Subject)
	return name, known && name != ""
}
