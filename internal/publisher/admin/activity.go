package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
)

const activityPath = "/api/v1/environments/{environment}/activity"

type listActivity struct {
	EnvironmentPath
	api.ActivityQuery
}

func (s *server) registerActivity(h huma.API) {
	list := reading(operation(http.MethodGet, activityPath, "listActivity",
		"List what happened in an environment, the newest first: changes, change requests, refusals and administration", requestsTag))
	list.Metadata[mustAuthenticate] = true // it tells who was refused what
	huma.Register(h, list, func(ctx context.Context, in *listActivity) (*content[api.Activity], error) {
		query, err := in.query()
		if err != nil {
			return nil, err
		}
		body, err := s.activity(ctx, in.Environment, query)
		if err != nil {
			return nil, err
		}
		return &content[api.Activity]{Body: body}, nil
	})
	s.registerActivityEvents(h)
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
		return c, newProblem(http.StatusUnprocessableEntity, api.ProblemInvalidRequest, name+" must be next or newest of an earlier answer, such as 42-7.")
	}
	return c, nil
}

// activity returns what a query asks for in an environment.
func (s *server) activity(ctx context.Context, environment string, q activity.Query) (api.Activity, error) {
	service, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return api.Activity{}, s.problem(err)
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	end, err := activityEnd(ctx, service)
	if err != nil {
		return api.Activity{}, s.problem(err)
	}
	page, err := activity.List(ctx, service, q)
	if err != nil {
		return api.Activity{}, s.problem(err)
	}
	out := api.Activity{Items: []api.Event{}, Newest: page.Newest.Max(end).String()}
	if !page.Next.IsZero() {
		out.Next = page.Next.String()
	}
	for _, item := range page.Items {
		f := item.Tell()
		f.Names = s.names(ctx, append(f.Approvers, f.Actor)...)
		if f.Type == activity.TypeChange {
			f.ServedIn = s.servedIn(ctx, environment, f.Revision)
		}
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
