package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

func tokenCommands() []commandline.Command {
	return []commandline.Command{
		command("token create", "create an API token", tokenCreate),
		command("token list", "list the API tokens, without their secrets", tokenList),
		command("token revoke", "end an API token for good", tokenRevoke),
	}
}

func tokenCreate() commandline.Invocation {
	var wanted api.NewToken
	var narrowed api.Scope
	var expires, file string
	f := newForm("token create", "Creates an API token. Its secret is shown once and never again.")
	f.set.Argument(&wanted.Name, "NAME", "what the token is for; it stays in the audit trail and cannot be erased: do not name a person")
	f.set.List(&wanted.Groups, "group", nil, "groups of the token, as policies name them, such as "+
		strings.Join([]string{access.RoleViewer, access.RoleEditor, access.RoleApprover, access.RoleAdmin}, ", "))
	f.set.List(&narrowed.Environments, "only-environment", nil, "the only environments that it reaches; without any, all that its groups reach")
	f.set.List(&narrowed.Actions, "only-action", nil, "the only actions that it may take; without any, all that its groups may")
	f.set.String(&expires, "expires", "", "when it ends: a time such as 2030-01-31T08:00:00Z, or a duration from now such as 2160h; without it after a year, or with the token that you use")
	f.set.File(&file, "secret-file", "", "file to write the secret to, for --token-file; it must not exist; without it the secret is printed")
	r := f.administers()
	f.check(func() bool { return len(wanted.Groups) > 0 }, "say with --group what the token may do")
	f.checks = append(f.checks, func() error { return checkRoles(wanted.Groups) })
	f.check(func() bool { return isTime(expires) }, "--expires is a time such as 2030-01-31T08:00:00Z, or a duration such as 2160h")
	return f.runs(func(ctx context.Context, s *session) error {
		wanted := wanted
		var err error
		if wanted.Expires, err = timeOf(expires, time.Now()); err != nil {
			return err
		}
		if len(narrowed.Environments)+len(narrowed.Actions) > 0 {
			wanted.Scope = &narrowed
		}
		return s.createToken(ctx, wanted, *r, file)
	})
}

// checkRoles returns an error for the name of a role that lacks its prefix: a group of that name may do nothing by the default policy.
func checkRoles(groups []string) error {
	for _, group := range groups {
		for _, role := range []string{access.RoleViewer, access.RoleEditor, access.RoleApprover, access.RoleAdmin} {
			if "flagside:"+group == role {
				return fmt.Errorf("--group %s is the short name of a role: write --group %s", group, role)
			}
		}
	}
	return nil
}

// createToken writes the secret to a file, or prints it. The file is made first: a token whose secret is lost would be of no use.
func (s *session) createToken(ctx context.Context, wanted api.NewToken, h api.AdministrationHeaders, file string) error {
	if file == "" {
		created, err := s.client.CreateToken(ctx, wanted, h)
		return s.answer(created, err, sentence("token %s is created for %s; its secret, shown only now:\n%s", cell(created.Token.ID), cell(created.Token.Name), cell(created.Secret)))
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	created, err := s.client.CreateToken(ctx, wanted, h)
	if err != nil {
		return errors.Join(err, out.Close(), os.Remove(file))
	}
	_, err = io.WriteString(out, created.Secret+"\n")
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return s.print(created.Token, sentence("token %s is created for %s; its secret is in %s", cell(created.Token.ID), cell(created.Token.Name), file))
}

func tokenList() commandline.Invocation {
	f := newForm("token list", "Lists the API tokens, the oldest first, expired and revoked ones too.")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.Tokens(ctx)
		return s.answer(found, err, list("TOKEN|NAME|HINT|GROUPS|ENVIRONMENTS|ACTIONS|CREATED|EXPIRES|REVOKED", found.Items, func(t api.Token) []string {
			environments, actions := scopeCells(t.Scope)
			return []string{
				cell(t.ID), cell(t.Name), cell(t.Hint), cells(t.Groups), environments, actions, timeCell(t.Created), timeCell(t.Expires), timeCell(t.Revoked),
			}
		}))
	})
}

// scopeCells returns the environments and actions that a scope names.
func scopeCells(s *api.Scope) (environments, actions string) {
	if s == nil {
		return absent, absent
	}
	return cells(s.Environments), cells(s.Actions)
}

func tokenRevoke() commandline.Invocation {
	var id string
	f := newForm("token revoke", "Ends an API token for good.")
	f.set.Argument(&id, "TOKEN", "id of the token")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.RevokeToken(ctx, id, *r)
		return s.answer(found, err, sentence("token %s (%s) is revoked", cell(found.ID), cell(found.Name)))
	})
}

func whoamiCommand() commandline.Command {
	return command("whoami", "say who the API takes you for", func() commandline.Invocation {
		f := newForm("whoami", "Shows who you are for the API, by your token.")
		return f.runs(func(ctx context.Context, s *session) error {
			who, err := s.client.WhoAmI(ctx)
			if err != nil {
				return err
			}
			environments, actions := scopeCells(who.Scope)
			return s.print(who, details(
				detail{"id", cell(who.ID)}, detail{"policies say", cell(who.Subject)}, detail{"name", cell(who.Name)}, detail{"kind", cell(who.Kind)},
				detail{"groups", cells(who.Groups)}, detail{"environments", environments}, detail{"actions", actions},
			))
		})
	})
}
