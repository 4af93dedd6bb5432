package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/admin"
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
	client, err := f.at.open()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	s := &session{client: client}
	return s.names(ctx, kind, f.environment)
}

// names returns the names of a kind in an environment, none if they cannot be had.
func (s *session) names(ctx context.Context, kind, environment string) (names []string) {
	path, member := []string{"environments", environment, kind + "s"}, "key"
	switch {
	case kind == namesEnvironment:
		path, member = path[:1], "name"
	case environment == "":
		return nil
	case kind == namesRequest:
		path, member = []string{"environments", environment, "requests"}, "id"
	}
	found, err := s.client.Do(ctx, admin.Call{Path: path})
	if err != nil {
		return nil
	}
	value, err := decode(found.Body)
	if err != nil {
		return nil
	}
	items, _ := find(value, "items").([]any)
	for _, item := range items {
		if name := word(item, member); name != "" && !strings.ContainsAny(name, "\n\r") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
