package commandline

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flagside/flagside/internal/config"
)

// Program is an executable with sub-commands.
type Program struct {
	Name string
	// Summary says in a line or two what it is for.
	Summary string
	// Topics group the commands in the overview. Without any, it lists the commands.
	Topics []Topic
	// Section is where the manual has the program: 1 for what people type, 8 for servers.
	Section int
	// Commands are in the order in which lists show them. One without words is the program itself, and stands last.
	Commands []Command
	// Variables is a line about the environment variables that matter most; empty if there is none.
	Variables string
	// Moved names the programs that have commands which one might look for here, by their first words.
	Moved map[string]string
	// Names returns the names of a kind, such as of environments, for completion; nil knows none. The options that stand on the line are in the
	// environment of the terminal.
	Names func(ctx context.Context, kind string, t Terminal) []string
	// Fallback returns what gives options a value that neither the command line, nor the environment, nor a file has; nil gives none.
	Fallback func(t Terminal) (func(option string) (value, place string), error)
	// ExitCode returns the exit code of an error of a command; nil gives ExitFailure to all.
	ExitCode func(error) int
	// ExitCodes say what the exit codes mean; nil means those that all programs share.
	ExitCodes []Entry
}

// Topic is a group of commands.
type Topic struct {
	Title string
	// Entries are first words of commands, with what those are about.
	Entries []Entry
}

// Entry is a line of the overview.
type Entry struct{ Word, Short string }

// Run does what a command line without the name of the program asks for, until that is done or ctx ends. It returns the exit code.
func (p Program) Run(ctx context.Context, args []string, t Terminal) int {
	if len(args) > 0 && args[0] == completing {
		return p.complete(ctx, args[1:], t)
	}
	if len(args) > 0 && args[0] == writingManual {
		return p.writeManual(args[1:], t)
	}
	leading, line := p.split(args)
	switch {
	case len(line) == 0 && slices.Equal(leading, []string{"--version"}):
		line, leading = []string{"version"}, nil
	case len(line) == 0 && len(leading) == 0:
		return p.help(nil, t)
	case len(line) > 0 && line[0] == "help":
		return p.help(line[1:], t)
	}
	for _, c := range p.Commands {
		if c.Begins(line) {
			return p.execute(ctx, c, slices.Concat(leading, line[len(c.Words):]), t)
		}
	}
	if len(line) == 0 && !slices.ContainsFunc(leading, asksForHelp) {
		fmt.Fprintf(t.Stderr, "%s: there is no command behind the options\n%s help lists what there is\n", p.Name, p.Name)
		return ExitUsage
	}
	if last := len(line) - 1; slices.ContainsFunc(args, asksForHelp) {
		if last >= 0 && asksForHelp(line[last]) {
			line = line[:last]
		}
		return p.help(line, t)
	}
	if len(line) > 0 && len(p.beginning(line)) > 0 { // a part of a command is a question for the rest
		return p.help(line, t)
	}
	return p.unknown(line, t)
}

func asksForHelp(word string) bool { return slices.Contains([]string{"-h", "-help", "--help"}, word) }

// split divides a command line into options that stand before the command, and the rest.
func (p Program) split(args []string) (leading, line []string) {
	i := 0
	for i < len(args) && strings.HasPrefix(args[i], "-") && args[i] != "--" {
		if i++; i < len(args) && !strings.Contains(args[i-1], "=") && p.takesValue(args[i-1]) {
			i++
		}
	}
	return args[:i], args[i:]
}

// takesValue reports whether an option of any command takes the word after it.
func (p Program) takesValue(flag string) bool {
	for _, c := range p.Commands {
		for _, option := range c.New().Set.Options() {
			if flag == "--"+option.Name || flag == "-"+option.Name || option.Letter != "" && flag == "-"+option.Letter {
				return !option.Switch
			}
		}
	}
	return false
}

// execute does what the rest of a command line asks for.
func (p Program) execute(ctx context.Context, c Command, args []string, t Terminal) int {
	i := c.New()
	if p.Fallback != nil {
		fallback, err := p.Fallback(t)
		if err != nil { // which must not keep anyone from what needs none, or from mending it
			fmt.Fprintf(t.Stderr, "%s: warning: %v: correct or remove the file\n", p.Name, err)
		}
		i.Set.Fallback(fallback)
	}
	action, err := i.Set.Parse(args, config.Lookup(t.Environ))
	switch {
	case err != nil:
		p.warn(i, t) // a slip in the name of a variable may be why
		fmt.Fprintf(t.Stderr, "%s: %v\n%s help %s shows its options\n", p.Name, err, p.Name, c.Name())
		return ExitUsage
	case action == config.ActionHelp:
		fmt.Fprint(t.Stdout, p.usage(c))
		return ExitOK
	case action == config.ActionPrint:
		fmt.Fprint(t.Stdout, i.Set.Print())
		return ExitOK
	}
	p.warn(i, t)
	if err := i.dryRunMissed(t); err != nil && action == config.ActionRun {
		fmt.Fprintf(t.Stderr, "%s: %v\n", p.Name, err)
		return ExitUsage
	}
	if i.Check != nil {
		if err := i.Check(); err != nil {
			fmt.Fprintf(t.Stderr, "%s: %v\n", p.Name, err)
			return ExitUsage
		}
	}
	if action == config.ActionCheck {
		return p.try(ctx, i, t)
	}
	if err := i.Run(ctx, t); err != nil {
		return p.failed(err, t)
	}
	return ExitOK
}

// dryRunMissed returns an error if the environment asks for a dry run of a command that has none.
func (i Invocation) dryRunMissed(t Terminal) error {
	const option = "dry-run"
	wanted, set := config.Lookup(t.Environ)(config.Variable(option))
	has := slices.ContainsFunc(i.Set.Options(), func(o config.Option) bool { return o.Name == option })
	if off, err := strconv.ParseBool(wanted); !set || wanted == "" || !i.Changes || has || err == nil && !off {
		return nil
	}
	return fmt.Errorf("%s is set, and this command has no dry run: nothing is done. Unset it to go on", config.Variable(option))
}

// try says whether what is asked for could begin now.
func (p Program) try(ctx context.Context, i Invocation, t Terminal) int {
	if i.Try == nil {
		fmt.Fprintln(t.Stdout, "the configuration is good")
		return ExitOK
	}
	if err := i.Try(ctx); err != nil {
		p.failed(err, t)
		return ExitFailure
	}
	fmt.Fprintln(t.Stdout, "the configuration is good, and everything that it names can be used")
	return ExitOK
}

// failed says why a command did not do what it was asked for, and returns the exit code.
func (p Program) failed(err error, t Terminal) int {
	fmt.Fprintf(t.Stderr, "%s: %s\n", p.Name, strings.TrimPrefix(err.Error(), p.Name+": "))
	if p.ExitCode == nil {
		return ExitFailure
	}
	return p.ExitCode(err)
}

// warn names environment variables that set no option.
func (p Program) warn(i Invocation, t Terminal) {
	sets := []*config.Set{i.Set}
	for _, other := range p.Commands {
		sets = append(sets, other.New().Set)
	}
	for _, sentence := range config.Unknown(t.Environ, !i.Serves, sets...) {
		fmt.Fprintf(t.Stderr, "%s: warning: %s\n", p.Name, sentence)
	}
}
