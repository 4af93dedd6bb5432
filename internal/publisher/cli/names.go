package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/api"
)

// The kinds of names that can be completed.
const (
	namesEnvironment = "environment"
	namesFlag        = "flag"
	namesSegment     = "segment"
	namesRequest     = "request"
	namesContext     = "context"
)

// namesTimeout is how long completion waits for a publisher.
const namesTimeout = 2 * time.Second

// Names returns the names of a kind that there are, for completion; none if they cannot be had. The environment of the terminal says where.
func Names(ctx context.Context, kind string, t commandline.Terminal) []string {
	if kind == namesContext {
		_, kept, err := contextsOf(t)
		if err != nil {
			return nil
		}
		return kept.Names()
	}
	f := newForm("names", "Lists names.")
	f.set.String(&f.environment, "environment", "", "environment to use")
	fallback, err := FromContext(t)
	if err != nil {
		return nil
	}
	f.set.Fallback(fallback)
	if _, err := f.set.Parse(nil, config.Lookup(t.Environ)); err != nil {
		return nil
	}
	c, err := f.conn.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	s := &session{client: c}
	return s.names(ctx, kind, f.environment)
}

// names returns the names of a kind in an environment, none if they cannot be had.
func (s *session) names(ctx context.Context, kind, environment string) []string {
	names, err := s.namesOf(ctx, kind, environment)
	if err != nil {
		return nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" || strings.ContainsAny(name, "\n\r") })
	for i, name := range names {
		names[i] = printable(name)
	}
	slices.Sort(names)
	return names
}

func (s *session) namesOf(ctx context.Context, kind, environment string) (names []string, err error) {
	switch {
	case kind == namesEnvironment:
		found, err := s.client.Environments(ctx)
		for _, e := range found.Items {
			names = append(names, e.Name)
		}
		return names, err
	case environment == "":
		return nil, nil
	case kind == namesRequest:
		found, err := s.client.Requests(ctx, environment, api.RequestQuery{})
		for _, r := range found.Items {
			names = append(names, r.ID)
		}
		return names, err
	default:
		found, err := s.client.Documents(ctx, environment, document.Kind(kind), api.DocumentQuery{})
		for _, d := range found.Items {
			names = append(names, d.Key)
		}
		return names, err
	}
}
