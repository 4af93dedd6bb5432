package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/sync/changelog"
)

// Terminal is what a command reads and where it writes.
type Terminal struct {
	Stdin  io.Reader
	Stdout io.Writer
}

// Command is a sub-command.
type Command struct {
	// Words begin the command line, such as "flag", "get".
	Words []string
	// Short says in a line what it does.
	Short string
	// New returns the command with an option table of its own.
	New func() Invocation
}

// Invocation is a sub-command whose option table can be filled in, once.
type Invocation struct {
	Set *config.Set
	// Check returns why the options make no sense; nil checks nothing.
	Check func() error
	// Run does what the options ask for. [ExitCode] tells what its error means.
	Run func(ctx context.Context, t Terminal) error
}

// Commands returns all sub-commands, in the order in which they are to be shown.
func Commands() []Command {
	return slices.Concat(
		flagKind().commands(),
		[]Command{toggleCommand()},
		flagKind().changeCommands(),
		segmentKind().commands(),
		segmentKind().changeCommands(),
		settingsCommands(),
		[]Command{promoteCommand()},
		requestCommands(),
		[]Command{activityCommand()},
		auditCommands(),
		environmentCommands(),
		repairCommands(),
		tokenCommands(),
		personCommands(),
		[]Command{doctorCommand(), whoamiCommand(), policyAskCommand(), operationGetCommand()},
	)
}

// form is a sub-command of which the options are being declared.
type form struct {
	set         *config.Set
	at          connection
	environment string
	output      string
	checks      []func() error
}

// formats are what --output can be.
func formats() []string { return []string{formatTable, formatJSON, formatYAML} }

// newForm begins a sub-command that asks the API.
func newForm(words, synopsis string) *form {
	f := &form{set: config.NewSet("publisher "+words, synopsis)}
	f.at.declare(f.set)
	f.set.Choice(&f.output, "output", formatTable, formats(), "how the answer is printed").Short("o")
	return f
}

// inEnvironment declares the option that names the environment.
func (f *form) inEnvironment() *form {
	f.set.String(&f.environment, "environment", "", "environment that it is about").Short("e").Require()
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
func (f *form) runs(do func(ctx context.Context, s *session) error) Invocation {
	return Invocation{
		Set: f.set,
		Check: func() error {
			for _, check := range f.checks {
				if err := check(); err != nil {
					return err
				}
			}
			return nil
		},
		Run: func(ctx context.Context, t Terminal) error {
			client, err := f.at.open()
			if err != nil {
				return err
			}
			return do(ctx, &session{client: client, terminal: t, output: f.output})
		},
	}
}

// session is one run of a sub-command.
type session struct {
	client   *admin.Client
	terminal Terminal
	output   string
	writes   *source // nil unless it is a document from a file
}

// source is a document that a command writes from a file.
type source struct {
	kind, key string
	text      *handwritten.Text
}

// words splits the name of a sub-command.
func words(name string) []string { return strings.Fields(name) }
