package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
	flagsync "github.com/flagside/flagside/sync"
)

func environmentCommands() []commandline.Command {
	return []commandline.Command{
		command("environment create", "create an environment", environmentCreate),
		command("environment list", "list the environments", environmentList),
		command("environment get", "print what is known of an environment", environmentGet),
		command("environment archive", "take an environment out of use; its log stays", environmentArchive),
		command("environment revive", "take an archived environment into use again", environmentRevive),
		command("environment recreate", "write what a running publisher knows as a new epoch, after the log was lost or changed by others", environmentRecreate),
		command("environment rollback", "make all documents of an environment what they were at a revision", environmentRollback),
		command("environment risk", "print or change what is risky in an environment", environmentRisk),
		command("environment restore", "make an environment what a snapshot is", environmentRestore),
	}
}

// named declares the argument that names an environment.
func (f *form) named(usage string) *form {
	f.set.Argument(&f.environment, "NAME", usage).Of(namesEnvironment)
	f.checks = append(f.checks, func() error { return flagsync.ValidateEnvironment(f.environment) })
	return f
}

func environmentCreate() commandline.Invocation {
	var compatibility, protected string
	f := newForm("environment create", "Creates an environment.").
		named("name of the environment: a DNS label in lower case that begins with a letter")
	f.set.Choice(&compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)},
		"whose strictness its flags follow; without it, that of the publisher")
	f.set.Choice(&protected, "protected", "", truths(), "whether every change is risky; without it true for prod and production, and false for others")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		body, err := json.Marshal(struct {
			Name          string          `json:"name"`
			Compatibility string          `json:"compatibility,omitempty"`
			Protected     json.RawMessage `json:"protected,omitempty"`
		}{f.environment, compatibility, json.RawMessage(protected)})
		if err != nil {
			return err
		}
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"environments"}, Body: body}))
		if err != nil {
			return err
		}
		return s.print(found.Body, func(out io.Writer, value any) error {
			_, err := fmt.Fprintln(out, environmentCreated(f.environment, find(value, "protected") == true))
			return err
		})
	})
}

// environmentCreated says what protects a new environment, and how to change that.
func environmentCreated(name string, protected bool) string {
	if protected {
		return fmt.Sprintf("environment %s is created; it is protected: every change counts as risky, which by default needs a second person\n"+
			"if only sensitive changes are to count, run flagside environment risk %s --protected=false", name, name)
	}
	text := fmt.Sprintf("environment %s is created; it is not protected: only sensitive changes count as risky\n"+
		"if every change is to count, run flagside environment risk %s --protected=true", name, name)
	if looksLikeProduction(name) {
		text += "\nits name looks like one of production, so this may be what you want"
	}
	return text
}

// looksLikeProduction reports whether a part of the name is a usual word for what serves customers.
func looksLikeProduction(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "-"), func(part string) bool {
		return slices.Contains([]string{"prod", "production", "prd", "live"}, strings.TrimRight(part, "0123456789"))
	})
}

func environmentList() commandline.Invocation {
	f := newForm("environment list", "Lists the environments, archived ones too.")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: []string{"environments"}})
		if err != nil {
			return err
		}
		return s.print(found.Body, list(
			at("NAME", "name"), column{"STATE", environmentState}, column{"FLAGS", knownFlags},
			at("REVISION", "revision"), at("CREATED", "created"),
		))
	})
}

func environmentGet() commandline.Invocation {
	f := newForm("environment get", "Prints what is known of an environment.").named("name of the environment")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: []string{"environments", f.environment}})
		if err != nil {
			return err
		}
		return s.print(found.Body, details(
			at("name", "name"), column{"state", environmentState}, column{"flags", knownFlags}, at("revision", "revision"), at("epoch", "epoch"),
			at("protected", "protected"), at("created", "created"), named("created by", "createdBy"), at("archived", "archived"), at("destroyed", "destroyed"), at("changed by", "readOnly"),
			at("writes refused", "writesRefused"),
		))
	})
}

// knownFlags returns how many flags there are, if that is known.
func knownFlags(e any) string {
	if find(e, "revision") == nil {
		return absent
	}
	return cell(find(e, "flags"))
}

// environmentState says in a word or two what can be done with an environment.
func environmentState(e any) string {
	switch {
	case find(e, "destroyed") != nil:
		return "destroyed"
	case find(e, "archived") != nil:
		return "archived"
	case find(e, "writesRefused") != nil:
		return "writes refused"
	case find(e, "readOnly") != nil:
		return "read-only"
	case find(e, "revision") == nil:
		return "starting"
	default:
		return "in use"
	}
}

func environmentArchive() commandline.Invocation {
	f := newForm("environment archive", "Takes an environment out of use. Its log stays.").named("name of the environment")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"environments", f.environment, "archive"}}))
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("environment %s is archived\nflagside environment revive %s brings it back", "name", "name"))
	})
}

func environmentRevive() commandline.Invocation {
	f := newForm("environment revive", "Takes an archived environment into use again, with its flags as they were.").named("name of the environment")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"environments", f.environment, "revive"}}))
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("environment %s is in use again, with %s flags at revision %s", "name", "flags", "revision"))
	})
}

func operationGetCommand() commandline.Command {
	return command("operation get", "ask what became of a change that was undecided", func() commandline.Invocation {
		var op string
		f := newForm("operation get", "Says what became of a change whose answer was that it is undecided.").inEnvironment()
		f.set.Argument(&op, "OP-ID", "op-id of the change")
		return f.runs(func(ctx context.Context, s *session) error {
			found, err := s.do(ctx, admin.Call{Path: []string{"environments", f.environment, "operations", op}})
			if err != nil {
				return err
			}
			if err := s.print(found.Body, details(at("op-id", "opId"), at("state", "state"), at("revision", "revision"))); err != nil {
				return err
			}
			if value, err := decode(found.Body); err != nil || find(value, "state") != "unknown" {
				return err
			}
			return &failure{code: exitNotFound, text: "no change with this op-id is known: read the document and its history"}
		})
	})
}
