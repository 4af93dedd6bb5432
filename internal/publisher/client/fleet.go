package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Fleet returns a part of the sidecars of an environment.
func (c *Client) Fleet(ctx context.Context, environment string, q api.FleetQuery) (api.Fleet, error) {
	return answer[api.Fleet](ctx, c, get("environments", environment, "fleet").with(q))
}

// AllSidecars returns all sidecars that a query wants, whatever its Limit and After, with what else the last part says.
func (c *Client) AllSidecars(ctx context.Context, environment string, q api.FleetQuery) (all api.Fleet, err error) {
	var items []api.Sidecar
	q.Limit, q.After = 1000, ""
	for {
		all, err = c.Fleet(ctx, environment, q)
		if err != nil {
			return all, err
		}
		items = append(items, all.Items...)
		if q.After = all.Next; q.After == "" {
			all.Items = items
			return all, nil
		}
	}
}

// Convergence tells where a revision is served: a revision, or "last" for the newest. It may wait for that.
func (c *Client) Convergence(ctx context.Context, environment, revision string, q api.ConvergenceQuery) (api.Convergence, error) {
	return answer[api.Convergence](ctx, c, get("environments", environment, "fleet", "revisions", revision).with(q))
}
