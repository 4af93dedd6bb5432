package cli

import (
	"context"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

func (k kind) copy() commandline.Invocation {
	var key, name string
	f := newForm(k.one+" copy", "Creates a "+k.one+" as a copy of another one in the same environment.").inEnvironment()
	k.key(f, &key)
	f.set.Argument(&name, "NEW", "key of the new "+k.one+", which must not exist yet")
	w := f.changes()
	return f.runs(func(ctx context.Context, s *session) error {
		body, _, err := s.client.Document(ctx, f.environment, k.id(key))
		if err != nil {
			return err
		}
		c := k.change(f, name, "put")
		c.command.Document = body
		if ownership.Reserved(ownership.Owner(body)) { // the source does not know the copy
			c.command.Document = ownership.Unmarked(body)
		}
		c.done = k.one + " " + printable(name) + " is created as a copy of " + printable(key)
		s.implied = true
		return w.write(ctx, s, c.on(client.Precondition{Absent: true}))
	})
}
