package cli

import (
	"context"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func sessionCommands() []commandline.Command {
	return []commandline.Command{
		command("session list", "list who is signed in to the console", sessionList),
		command("session revoke", "sign a browser out of the console", sessionRevoke),
	}
}

func sessionList() commandline.Invocation {
	f := newForm("session list", "Lists the sessions of the console, the oldest first: your own, and those of all if you may administer.")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.Sessions(ctx)
		return s.answer(found, err, list("SESSION|PRINCIPAL|NAME|SIGNED IN|HOW|ENDS|BROWSER", found.Items, func(one api.Session) []string {
			return []string{cell(one.ID), cell(one.Principal), cell(one.Name), timeCell(one.Created), cell(one.How), timeCell(one.Expires), cell(one.Browser)}
		}))
	})
}

func sessionRevoke() commandline.Invocation {
	var id string
	f := newForm("session revoke", "Ends a session of the console: one of your own, or any if you may administer.")
	f.set.Argument(&id, "SESSION", "id of the session, as session list shows it")
	return f.runs(func(ctx context.Context, s *session) error {
		ended, err := s.client.RevokeSession(ctx, id)
		return s.answer(ended, err, sentence("session %s is ended", cell(ended.ID)))
	})
}
