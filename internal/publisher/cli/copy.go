package cli

import (
	"context"
	"net/http"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func (k kind) copy() commandline.Invocation {
	var key, name string
	f := newForm(k.one+" copy", "Creates a "+k.one+" as a copy of another one in the same environment.").inEnvironment()
	k.key(f, &key)
	f.set.Argument(&name, "NEW", "key of the new "+k.one+", which must not exist yet")
	w := f.changes()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: k.path(f.environment, key)})
		if err != nil {
			return err
		}
		c := k.change(f, name, "put", http.MethodPut)
		c.Body, c.command.Document = found.Body, found.Body
		c.done = k.one + " " + printable(name) + " is created as a copy of " + printable(key)
		s.implied = true
		return w.write(ctx, s, seen{absent: true}.on(c))
	})
}
