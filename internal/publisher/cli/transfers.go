package cli

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func environmentRollback() commandline.Invocation {
	var to string
	f := newForm("environment rollback", "Makes all documents of an environment what they were at a revision, as a new change.").named("name of the environment")
	w := f.changes()
	f.revision(&to, "to", "revision to return to").Require()
	return f.runs(func(ctx context.Context, s *session) error {
		return w.writeAll(ctx, s, f.environment, admin.Command{Type: "rollback", Revision: to}, map[string]any{"revision": to},
			"environment "+f.environment+" is what it was at "+to)
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
		f.set.String(&from, "from", "", "environment to take them from").Require()
		f.set.List(&flags, "flag", nil, "keys of the flags; without any, all flags and segments")
		f.set.Bool(&prune, "prune", false, "delete what the other environment does not have: all of it, or those --flag that it lacks")
		return f.runs(func(ctx context.Context, s *session) error {
			body := map[string]any{"from": from}
			if len(flags) > 0 {
				body["flags"] = flags
			}
			if prune {
				body["prune"] = true
			}
			return w.writeAll(ctx, s, f.environment, admin.Command{Type: "promote", From: from, Flags: flags, Prune: prune}, body,
				from+" is promoted to "+f.environment)
		})
	})
}

// writeAll makes a change of many documents, at the path that its type names.
func (w *writing) writeAll(ctx context.Context, s *session, environment string, what admin.Command, body map[string]any, done string) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return w.write(ctx, s, change{
		Call:        admin.Call{Method: http.MethodPost, Path: []string{"environments", environment, what.Type}, Body: text},
		environment: environment, command: what, done: done,
	})
}
