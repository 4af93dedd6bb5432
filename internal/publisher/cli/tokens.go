package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func tokenCommands() []commandline.Command {
	return []commandline.Command{
		command("token create", "create an API token", tokenCreate),
		command("token list", "list the API tokens, without their secrets", tokenList),
		command("token revoke", "end an API token for good", tokenRevoke),
	}
}

func tokenCreate() commandline.Invocation {
	var wanted admin.NewToken
	var narrowed admin.Scope
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
		body, err := json.Marshal(wanted)
		if err != nil {
			return err
		}
		return s.createToken(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"tokens"}, Body: body}), file)
	})
}

// checkRoles returns an error for the name of a role that lacks its prefix: a group of that name may do nothing by the default policy.
func checkRoles(groups []string) error {
	for _, group := range groups {
		for _, role := range []string{access.RoleViewer, access.RoleEditor, access.RoleApprover, access.RoleAdmin} {
			if "flagside:"+group == role {
				return fmt.Errorf("--group %s is not the role: write --group %s", group, role)
			}
		}
	}
	return nil
}

// createToken writes the secret to a file, or prints it. The file is made first: a token whose secret is lost would be of no use.
func (s *session) createToken(ctx context.Context, c admin.Call, file string) error {
	if file == "" {
		found, err := s.do(ctx, c)
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("token %s is created for %s; its secret, shown only now:\n%s", "token.id", "token.name", "secret"))
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	found, err := s.do(ctx, c)
	if err != nil {
		return errors.Join(err, out.Close(), os.Remove(file))
	}
	var created struct {
		Token  json.RawMessage `json:"token"`
		Secret string          `json:"secret"`
	}
	if err := json.Unmarshal(found.Body, &created); err != nil {
		return fmt.Errorf("the publisher's answer: %w", err)
	}
	_, err = io.WriteString(out, created.Secret+"\n")
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return s.print(created.Token, sentence("token %s is created for %s; its secret is in "+strings.ReplaceAll(file, "%", "%%"), "id", "name"))
}

func tokenList() commandline.Invocation {
	f := newForm("token list", "Lists the API tokens, the oldest first, expired and revoked ones too.")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: []string{"tokens"}})
		if err != nil {
			return err
		}
		return s.print(found.Body, list(
			at("TOKEN", "id"), at("NAME", "name"), at("HINT", "hint"), at("GROUPS", "groups"), at("ENVIRONMENTS", "scope.environments"),
			at("ACTIONS", "scope.actions"), at("CREATED", "created"), at("EXPIRES", "expires"), at("REVOKED", "revoked"),
		))
	})
}

func tokenRevoke() commandline.Invocation {
	var id string
	f := newForm("token revoke", "Ends an API token for good.")
	f.set.Argument(&id, "TOKEN", "id of the token")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodDelete, Path: []string{"tokens", id}}))
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("token %s (%s) is revoked", "id", "name"))
	})
}

func whoamiCommand() commandline.Command {
	return command("whoami", "say who the API takes you for", func() commandline.Invocation {
		f := newForm("whoami", "Says who the API takes you for, by the token.")
		return f.runs(func(ctx context.Context, s *session) error {
			found, err := s.do(ctx, admin.Call{Path: []string{"whoami"}})
			if err != nil {
				return err
			}
			return s.print(found.Body, details(
				at("id", "id"), at("policies say", "subject"), at("name", "name"), at("kind", "kind"), at("groups", "groups"),
				at("environments", "scope.environments"), at("actions", "scope.actions"),
			))
		})
	})
}
