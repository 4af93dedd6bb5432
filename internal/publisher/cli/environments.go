package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
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
		command("environment lifecycle", "print or change what becomes of flags that expire or grow stale", environmentLifecycle),
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
		"compatibility mode of its flags; without it the one of the publisher")
	f.set.Choice(&protected, "protected", "", truths(), "whether every change is risky; without it true for prod and production, and false for others")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		n := api.NewEnvironment{Name: f.environment, Compatibility: compatibility}
		if protected != "" {
			n.Protected = new(protected == "true")
		}
		found, err := s.client.CreateEnvironment(ctx, n, *r)
		return s.answer(found, err, sentence("%s", environmentCreated(f.environment, found.Protected)))
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
		found, err := s.client.Environments(ctx)
		return s.answer(found, err, list("NAME|STATE|FLAGS|REVISION|CREATED", found.Items, func(e api.Environment) []string {
			return []string{cell(e.Name), environmentState(e), knownFlags(e), cell(e.Revision), timeCell(e.Created)}
		}))
	})
}

func environmentGet() commandline.Invocation {
	f := newForm("environment get", "Prints an environment and its state.").named("name of the environment")
	return f.runs(func(ctx context.Context, s *session) error {
		e, err := s.client.Environment(ctx, f.environment)
		return s.answer(e, err, details(
			detail{"name", cell(e.Name)}, detail{"state", environmentState(e)}, detail{"flags", knownFlags(e)}, detail{"revision", cell(e.Revision)},
			detail{"epoch", cell(e.Epoch)}, detail{"protected", strconv.FormatBool(e.Protected)}, detail{"created", timeCell(e.Created)},
			detail{"created by", nameCell(e.Names, e.CreatedBy)}, detail{"archived", timeCell(e.Archived)}, detail{"destroyed", timeCell(e.Destroyed)},
			detail{"changed by", cell(e.ReadOnly)}, detail{"writes refused", cell(e.Refused)},
		))
	})
}

// knownFlags returns how many flags there are, if that is known.
func knownFlags(e api.Environment) string {
	if e.Revision == "" {
		return absent
	}
	return decimal(e.Flags)
}

// environmentState says in a word or two what can be done with an environment.
func environmentState(e api.Environment) string {
	switch {
	case !e.Destroyed.IsZero():
		return "destroyed"
	case !e.Archived.IsZero():
		return "archived"
	case e.Refused != "":
		return "writes refused"
	case e.ReadOnly != "":
		return "read-only"
	case e.Revision == "":
		return "starting"
	default:
		return "in use"
	}
}

func environmentArchive() commandline.Invocation {
	f := newForm("environment archive", "Archives an environment: it takes no more changes. Its log stays.").named("name of the environment")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.ArchiveEnvironment(ctx, f.environment, *r)
		return s.answer(found, err, sentence("environment %s is archived\nflagside environment revive %s brings it back", cell(found.Name), cell(found.Name)))
	})
}

func environmentRevive() commandline.Invocation {
	f := newForm("environment revive", "Revives an archived environment, with its flags as they were.").named("name of the environment")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.ReviveEnvironment(ctx, f.environment, *r)
		return s.answer(found, err, sentence("environment %s is in use again, with %s flags at revision %s", cell(found.Name), decimal(found.Flags), cell(found.Revision)))
	})
}

func operationGetCommand() commandline.Command {
	return command("operation get", "ask what became of a change that was undecided", func() commandline.Invocation {
		var op string
		f := newForm("operation get", "Shows the outcome of a change whose answer was undecided.").inEnvironment()
		f.set.Argument(&op, "OP-ID", "op-id of the change")
		return f.runs(func(ctx context.Context, s *session) error {
			found, err := s.client.Operation(ctx, f.environment, op)
			if err != nil {
				return err
			}
			show := details(detail{"op-id", cell(found.OpID)}, detail{"state", cell(found.State)}, detail{"revision", cell(found.Revision)})
			if err := s.print(found, show); err != nil || found.State != "unknown" {
				return err
			}
			return &failure{code: exitNotFound, text: "no change with this op-id is known: read the document and its history"}
		})
	})
}
