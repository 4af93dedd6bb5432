package cli

import (
	"context"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func environmentRollback() commandline.Invocation {
	var to string
	f := newForm("environment rollback", "Makes all documents of an environment what they were at a revision, as a new change.").named("name of the environment")
	w := f.changes()
	f.revision(&to, "to", "revision to return to").Require()
	return f.runs(func(ctx context.Context, s *session) error {
		return w.write(ctx, s, change{
			environment: f.environment, command: api.Command{Type: "rollback", Revision: to}, done: "environment " + f.environment + " is what it was at " + to,
		})
	})
}

func promoteCommand() commandline.Command {
	return command("promote", "make flags what they are in another environment", func() commandline.Invocation {
		var from string
		var flags []string
		var prune bool
		f := newForm("promote", "Makes flags of --environment what they are in another environment, with all that they depend on there: it adds and changes. "+
			"With --prune it also deletes what is not there.").inEnvironment()
		w := f.changes()
		f.set.String(&from, "from", "", "environment to copy from").Require()
		f.set.List(&flags, "flag", nil, "keys of the flags; without any, all flags and segments")
		f.set.Bool(&prune, "prune", false, "delete what the other environment lacks: everything, or only the keys in --flag")
		return f.runs(func(ctx context.Context, s *session) error {
			return w.write(ctx, s, change{
				environment: f.environment, command: api.Command{Type: "promote", From: from, Flags: flags, Prune: prune},
				done: from + " is promoted to " + f.environment,
			})
		})
	})
}
