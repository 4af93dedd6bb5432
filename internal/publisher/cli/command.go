package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/sync/changelog"
)

// Commands returns all sub-commands, in the order in which they are to be shown.
func Commands() []commandline.Command {
	return slices.Concat(
		flagCommands(),
		segmentCommands(),
		settingsCommands(),
		[]commandline.Command{
			promoteCommand(),
			lifecycleCommand(),
			command("apply", "make an environment what files say", applyCommand),
			command("export", "print an environment as a flag file", exportCommand),
			command("validate", "check flag files, and say where they are wrong", validateCommand),
		},
		sourceCommands(),
		usageCommands(),
		requestCommands(),
		fleetCommands(),
		[]commandline.Command{activityCommand()},
		auditCommands(),
		referenceCommands(),
		environmentCommands(),
		repairCommands(),
		tokenCommands(),
		sessionCommands(),
		personCommands(),
		webhookCommands(),
		[]commandline.Command{loginCommand()},
		contextCommands(),
		[]commandline.Command{doctorCommand(), whoamiCommand(), policyAskCommand(), operationGetCommand()},
	)
}

// command returns a sub-command of so many words, with its examples.
func command(name, short string, make func() commandline.Invocation) commandline.Command {
	return commandline.Command{Words: strings.Fields(name), Short: short, Examples: examples()[name], New: make}
}

// form is a sub-command of which the options are being declared.
type form struct {
	set         *config.Set
	conn        connection
	environment string
	where       *config.Option // that names the environment; nil if an argument does
	output      string
	checks      []func() error
	changing    bool // it changes something
}

// formats are what --output can be.
func formats() []string { return []string{formatTable, formatJSON, formatYAML} }

// newForm begins a sub-command that asks the API.
func newForm(words, synopsis string) *form {
	f := &form{set: config.NewSet("flagside "+words, synopsis)}
	f.conn.declare(f.set)
	f.set.Choice(&f.output, "output", formatTable, formats(), "format of the answer").Short("o").Shared()
	return f
}

// inEnvironment declares the option that names the environment.
func (f *form) inEnvironment() *form {
	f.where = f.set.String(&f.environment, "environment", "", "environment to use").Short("e").Of(namesEnvironment)
	f.where.Require()
	return f
}

// revision declares an option that is a revision.
func (f *form) revision(p *string, name, usage string) *config.Option {
	f.checks = append(f.checks, func() error {
		if _, err := changelog.ParseToken(strings.Trim(*p, `"`)); err != nil && *p != "" {
			return fmt.Errorf("--%s is a revision such as 1f0c9a7e-42, not %q", name, *p)
		}
		return nil
	})
	return f.set.String(p, name, "", usage)
}

// check adds a reason why the options make no sense.
func (f *form) check(sensible func() bool, reason string) {
	f.checks = append(f.checks, func() error {
		if sensible() {
			return nil
		}
		return errors.New(reason)
	})
}

// runs completes the sub-command with what it does.
func (f *form) runs(do func(ctx context.Context, s *session) error) commandline.Invocation {
	return commandline.Invocation{
		Set:     f.set,
		Changes: f.changing,
		Check:   f.verify,
		Run: func(ctx context.Context, t commandline.Terminal) error {
			c, err := f.conn.client()
			if err != nil {
				return err
			}
			f.tellWhere(t)
			s := &session{client: c, terminal: t, output: f.output}
			return s.failure(ctx, do(ctx, s))
		},
	}
}

// local completes a sub-command that has no answer of the API to print.
func (f *form) local(do func(ctx context.Context, t commandline.Terminal) error) commandline.Invocation {
	return commandline.Invocation{Set: f.set, Check: f.verify, Run: do}
}

// verify returns the first reason why the options make no sense.
func (f *form) verify() error {
	for _, check := range f.checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// tellWhere says which environment a change is made in, if that does not stand on the command line.
func (f *form) tellWhere(t commandline.Terminal) {
	if f.changing && f.where != nil && t.Stderr != nil && !strings.HasPrefix(f.where.Source(), "flag ") {
		fmt.Fprintf(t.Stderr, "environment %s, from %s\n", printable(f.environment), f.where.Source())
	}
}

// session is one run of a sub-command.
type session struct {
	client   *client.Client
	terminal commandline.Terminal
	output   string
	writes   *origin // nil unless it is a document from a file
	implied  bool    // the command itself says what the author has seen
	also     string  // options that a repetition needs, beside those that were given
	urgent   string  // the command that does the same without haste; empty unless it is urgent
}

// origin is a document that a command writes from a file.
type origin struct {
	id   document.ID
	text *handwritten.Text
}
