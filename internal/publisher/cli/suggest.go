package cli

import (
	"context"
	"errors"

	"github.com/flagside/flagside/internal/config"
)

// suggest adds to the failure of a name that there is not the one that was meant, if it can be guessed.
func (s *session) suggest(ctx context.Context, err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok || len(f.path) < 2 || f.path[0] != "environments" {
		return err
	}
	environment, similar := f.path[1], ""
	switch {
	case isProblem(err, "environment-unknown"):
		similar = config.Similar(environment, s.names(ctx, namesEnvironment, ""))
	case isAbsent(err) && len(f.path) > 3 && (f.path[2] == "flags" || f.path[2] == "segments"):
		similar = config.Similar(f.path[3], s.names(ctx, f.path[2][:len(f.path[2])-1], environment))
	}
	if similar == "" {
		return err
	}
	better := *f
	better.text += "\ndid you mean " + printable(similar) + "?"
	return &better
}
