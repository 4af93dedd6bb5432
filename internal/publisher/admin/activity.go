package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/control"
)

const (
	activityPath = "/api/v1/environments/{environment}/activity"
	// activityChange is the type of what stands in the log.
	activityChange = "change"
)

type listActivity struct {
	EnvironmentPath

	Actor  string    `query:"actor" maxLength:"512" doc:"Only what this principal did, by its opaque id."`
	Flag   string    `query:"flag" maxLength:"1024" doc:"Only what concerns this flag, which may be gone."`
	Since  time.Time `query:"since" doc:"Only what happened then or later."`
	Until  time.Time `query:"until" doc:"Only what happened before."`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many items."`
	Before string    `query:"before" maxLength:"64" doc:"Only what is before this place: next of the answer before."`
	After  string    `query:"after" maxLength:"64" doc:"Only what is behind this place: newest of the answer before."`
}

type activityBody struct {
	Body Activity
}

// Activity is a part of what happened in an environment, newest first.
type Activity struct {
	Items  []Fact `json:"items" nullable:"false"`
	Next   string `json:"next,omitempty" doc:"Where the next part begins; absent at the end. Where a part is short, more was looked at than it has."`
	Newest string `json:"newest" doc:"The newest place here, for after."`
}

func (a *api) registerActivity(h huma.API) {
	list := reading(operation(http.MethodGet, activityPath, "listActivity",
		"List what happened in an environment, the newest first: changes, change requests, refusals and administration", requestsTag))
	list.Metadata[mustAuthenticate] = true // it tells who was refused what
	huma.Register(h, list, func(ctx context.Context, in *listActivity) (*activityBody, error) {
		query, err := in.query()
		if err != nil {
			return nil, err
		}
		body, err := a.activity(ctx, in.Environment, query)
		if err != nil {
			return nil, err
		}
		return &activityBody{Body: body}, nil
	})
	a.registerActivityEvents(h)
}

func (in *listActivity) query() (activity.Query, error) {
	q := activity.Query{Actor: in.Actor, Since: in.Since, Until: in.Until, Limit: in.Limit}
	if in.Flag != "" {
		q.About = document.ID{Kind: document.KindFlag, Key: in.Flag}
	}
	var err error
	if q.Before, err = activityCursor("before", in.Before); err != nil {
		return q, err
	}
	q.After, err = activityCursor("after", in.After)
	return q, err
}

func activityCursor(name, text string) (activity.Cursor, error) {
	c, err := activity.ParseCursor(text)
	if err != nil {
		return c, newProblem(http.StatusUnprocessableEntity, typeInvalidRequest, name+" must be next or newest of an earlier answer, such as 42-7.")
	}
	return c, nil
}

// activity returns what a query asks for in an environment.
func (a *api) activity(ctx context.Context, environment string, q activity.Query) (Activity, error) {
	service, err := a.options.Environments.Control(ctx, environment)
	if err != nil {
		return Activity{}, a.problem(err)
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	end, err := activityEnd(ctx, service)
	if err != nil {
		return Activity{}, a.problem(err)
	}
	page, err := activity.List(ctx, service, q)
	if err != nil {
		return Activity{}, a.problem(err)
	}
	out := Activity{Items: []Fact{}, Newest: page.Newest.Max(end).String()}
	if !page.Next.IsZero() {
		out.Next = page.Next.String()
	}
	for _, item := range page.Items {
		f := newActivityFact(item)
		f.Names = a.names(ctx, append(f.Approvers, f.Actor)...)
		out.Items = append(out.Items, f)
	}
	return out, nil
}

// activityEnd returns the newest place that there was before the call.
func activityEnd(ctx context.Context, service *control.Service) (activity.Cursor, error) {
	state, err := service.Current(ctx)
	if err != nil {
		return activity.Cursor{}, err
	}
	sequence, err := service.LedgerEnd(ctx)
	return activity.Cursor{Revision: state.Position().Revision, Sequence: sequence}, err
}

func newActivityFact(i activity.Item) Fact {
	if i.Event != nil {
		f := newFact(*i.Event)
		if f.Documents == nil {
			f.Documents = factDocuments(i.Documents)
		}
		return f
	}
	tx := i.Change
	f := Fact{
		Time: i.Time(), Type: activityChange, Actor: i.Actor(), Request: tx[0].Request, Text: tx[0].Reason, OpID: tx.OpID(),
		Approvers: tx[0].Approvers, Revision: tx.Position().Token().String(), Documents: factDocuments(i.Documents),
	}
	for n, r := range tx {
		f.Documents[n].Action = "put"
		if r.Delete {
			f.Documents[n].Action = "delete"
		}
	}
	return f
}

func factDocuments(ids []document.ID) []FactDocument {
	var documents []FactDocument
	for _, id := range ids {
		documents = append(documents, FactDocument{Kind: string(id.Kind), Key: id.Key})
	}
	return documents
}
