package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/cli"
	"github.com/flagside/flagside/internal/telemetry"
)

// The exit codes. Commands that ask the API have more of them, see cli.ExitCodes.
const (
	exitOK            = 0
	exitFailure       = 1 // what was asked for could not be done
	exitConfiguration = 2 // what was asked for makes no sense
)

// terminal is where a command comes from and where it writes.
type terminal struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// command is a sub-command: its option table, and what it does once the table is filled in.
type command struct {
	set *config.Set
	// check returns why the options make no sense.
	check func() error
	// try tries what run would begin with, and closes it again; nil tries nothing.
	try func(ctx context.Context) error
	run func(ctx context.Context, t terminal) error
}

// subcommand is the words that begin a command line, what it does in a line, and what it means.
type subcommand struct {
	words []string
	short string
	make  func() command
}

func subcommands() []subcommand {
	all := []subcommand{
		{[]string{"serve"}, "keep the change logs of environments and serve the API that changes them", serveCommand},
		{[]string{"dev"}, "publisher and sidecar in one process, for one file that is watched", devCommand},
	}
	for _, c := range cli.Commands() {
		all = append(all, subcommand{c.Words, c.Short, func() command { return asking(c.New()) }})
	}
	return append(all,
		subcommand{[]string{"environment", "destroy"}, "delete the flags of an archived environment for good, beside the data directory", environmentDestroyCommand},
		subcommand{[]string{"convert"}, "print a flag file in JSON or YAML as JSON", convertCommand},
		subcommand{[]string{"policy", "check"}, "check a policy file, and say who may do what by it", policyCheckCommand},
		subcommand{[]string{"credentials", "add"}, "make a NATS user for a sidecar or a publisher, with its directory of credentials", credentialsAddCommand},
		subcommand{[]string{"credentials", "remove"}, "take a NATS user away", credentialsRemoveCommand},
		subcommand{[]string{"credentials", "config"}, "print the accounts and NATS users for servers that are not embedded", credentialsConfigCommand},
		subcommand{[]string{"keys", "init"}, "make the keys of an installation", keysInitCommand},
		subcommand{[]string{"keys", "list"}, "list the signing keys", keysListCommand},
		subcommand{[]string{"keys", "rotate"}, "replace the signing key", keysRotateCommand},
		subcommand{[]string{"keys", "revoke"}, "take a signing key away", keysRevokeCommand},
		subcommand{[]string{"keys", "export-root"}, "move the root key to a file", keysExportRootCommand},
		subcommand{[]string{"completion"}, "print the script that completes commands in a shell", completionCommand},
		subcommand{[]string{"version"}, "print the version", versionCommand},
	)
}

// asking returns the command for one that asks the API of a publisher.
func asking(i cli.Invocation) command {
	return command{set: i.Set, check: i.Check, run: func(ctx context.Context, t terminal) error {
		return i.Run(ctx, cli.Terminal{Stdin: t.stdin, Stdout: t.stdout})
	}}
}

// usage lists sub-commands.
func usage(all []subcommand) string {
	var out strings.Builder
	out.WriteString("Usage: publisher COMMAND [options]\n\n")
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, s := range all {
		fmt.Fprintf(table, "  %s\t%s\n", strings.Join(append(s.words, s.make().set.Arguments()...), " "), s.short)
	}
	_ = table.Flush() // to memory, which takes everything
	out.WriteString("\npublisher COMMAND --help lists the options of a command.\n")
	return out.String()
}

// run is the command: it returns the exit code when it is done or ctx ends.
func run(ctx context.Context, args []string, t terminal) int {
	if slices.Equal(args, []string{"--version"}) {
		args = []string{"version"}
	}
	for _, s := range subcommands() {
		if n := len(s.words); len(args) >= n && slices.Equal(args[:n], s.words) {
			return s.make().execute(ctx, args[n:], t)
		}
	}
	return help(args, t)
}

// help answers a command line that names no sub-command: one that asks for help, or one that needs it.
func help(args []string, t terminal) int {
	asked := len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[len(args)-1])
	if asked {
		args = args[:len(args)-1]
	}
	found := subcommands()
	if len(args) > 0 {
		found = slices.DeleteFunc(found, func(s subcommand) bool { return s.words[0] != args[0] })
	}
	switch {
	case asked && len(args) < 2 && len(found) > 0:
		fmt.Fprint(t.stdout, usage(found))
		return exitOK
	case len(found) == 0:
		fmt.Fprintf(t.stderr, "publisher: there is no command %q: publisher --help lists what there is\n", strings.Join(args, " "))
	case len(args) > 0:
		fmt.Fprintf(t.stderr, "publisher: there is no command %q\n\n%s", strings.Join(args, " "), usage(found))
	default:
		fmt.Fprint(t.stderr, usage(found))
	}
	return exitConfiguration
}

// execute does what the rest of a command line asks for.
func (c command) execute(ctx context.Context, args []string, t terminal) int {
	action, err := c.set.Parse(args, config.Lookup(t.environ))
	switch {
	case err != nil:
		t.warn(c.set) // a slip in the name of a variable may be why
		return misconfigured(t, err)
	case action == config.ActionHelp:
		fmt.Fprint(t.stdout, c.set.Usage())
		return exitOK
	case action == config.ActionPrint:
		fmt.Fprint(t.stdout, c.set.Print())
		return exitOK
	}
	t.warn(c.set)
	if c.check != nil {
		if err := c.check(); err != nil {
			return misconfigured(t, err)
		}
	}
	if action == config.ActionCheck {
		return c.tried(ctx, t)
	}
	if err := c.run(ctx, t); err != nil {
		fmt.Fprintf(t.stderr, "publisher: %s\n", strings.TrimPrefix(err.Error(), "publisher: "))
		return cli.ExitCode(err)
	}
	return exitOK
}

// tried says whether what is asked for could begin now.
func (c command) tried(ctx context.Context, t terminal) int {
	if c.try == nil {
		fmt.Fprintln(t.stdout, "the configuration is good")
		return exitOK
	}
	if err := c.try(ctx); err != nil {
		fmt.Fprintf(t.stderr, "publisher: %s\n", strings.TrimPrefix(err.Error(), "publisher: "))
		return exitFailure
	}
	fmt.Fprintln(t.stdout, "the configuration is good, and everything that it names can be used")
	return exitOK
}

// warn names environment variables that set no option. Servers name all of them; for commands, which people type again and again,
// only likely typing mistakes are named.
func (t terminal) warn(set *config.Set) {
	sets := []*config.Set{set}
	for _, other := range subcommands() {
		sets = append(sets, other.make().set)
	}
	for _, sentence := range config.Unknown(t.environ, set.Command() != "publisher serve", sets...) {
		fmt.Fprintf(t.stderr, "publisher: warning: %s\n", sentence)
	}
}

func misconfigured(t terminal, err error) int {
	fmt.Fprintf(t.stderr, "publisher: %v\n", err)
	return exitConfiguration
}

// logging are the options of the logger.
type logging struct {
	level  string
	format string
}

func (l *logging) declare(set *config.Set, format telemetry.Format) {
	set.Choice(&l.level, "log-level", "info", telemetry.Levels(), "lowest level that is logged")
	set.Choice(&l.format, "log-format", string(format),
		[]string{string(telemetry.FormatJSON), string(telemetry.FormatConsole)}, "how log lines look")
}

func (l *logging) logger(t terminal) (zerolog.Logger, error) {
	return telemetry.NewLogger(t.stderr, l.level, telemetry.Format(l.format))
}

// declareCompatibility declares the option that names a compatibility.
func declareCompatibility(set *config.Set, p *string, usage string) {
	set.Choice(p, "compatibility", "", []string{string(eval.CompatibilityFlagd)}, usage)
}

func versionCommand() command {
	return command{
		set: config.NewSet("publisher version", "Prints the version."),
		run: func(_ context.Context, t terminal) error {
			_, err := fmt.Fprintln(t.stdout, version())
			return err
		},
	}
}

// version returns the version that the program was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
