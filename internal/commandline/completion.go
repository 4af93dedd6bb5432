package commandline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/config"
)

// completing is the first word of the command lines by which completion scripts ask for candidates.
const completing = "__complete"

// Offers reports whether a word begins a command line that every program has: the version, completion, and what a release makes its manual of.
func Offers(word string) bool {
	return slices.Contains([]string{"version", "--version", "completion", completing, writingManual}, word)
}

// CompletionCommand returns the command that prints completion scripts of a program.
func CompletionCommand(program string) Command {
	return Command{
		Words: []string{"completion"}, Short: "print the script that completes commands in a shell",
		Examples: []string{"completion bash", "completion zsh"},
		New: func() Invocation {
			var shell string
			set := config.NewSet(program+" completion", "Prints the script that completes commands, options and names in a shell. "+
				"For bash: source <("+program+" completion bash).")
			set.Argument(&shell, "SHELL", "one of "+strings.Join(shells(), ", ")).OneOf(shells()...)
			return Invocation{Set: set, Run: func(_ context.Context, t Terminal) error {
				_, err := fmt.Fprint(t.Stdout, completion(shell, program))
				return err
			}}
		},
	}
}

// shells are those that there are scripts for.
func shells() []string { return []string{"bash", "zsh", "fish"} }

// completion returns the script of a shell. All of them ask the program, which knows what may stand next. An answer of "file" leaves it to the
// shell.
func completion(shell, program string) string {
	bash := fmt.Sprintf(`_%[1]s() {
  mapfile -t COMPREPLY < <(%[1]s %[2]s "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ "${COMPREPLY[0]}" == ":file" ]]; then
    COMPREPLY=()
    compopt -o default 2>/dev/null
  fi
}
complete -F _%[1]s %[1]s
`, program, completing)
	switch shell {
	case "zsh":
		return "#compdef " + program + "\nautoload -U +X bashcompinit && bashcompinit\n" + bash
	case "fish":
		return fmt.Sprintf(`function __%[1]s_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  set -l found (%[1]s %[2]s $words 2>/dev/null)
  if test "$found" = ":file"
    __fish_complete_path (commandline -ct)
  else
    printf '%%s\n' $found
  end
end
complete -c %[1]s -f -a '(__%[1]s_complete)'
`, program, completing)
	default:
		return bash
	}
}

// complete prints what may stand in place of the last word, one candidate a line.
func (p Program) complete(ctx context.Context, args []string, t Terminal) int {
	if len(args) == 0 {
		args = []string{""}
	}
	candidates, file := p.candidates(ctx, args, t)
	if file {
		fmt.Fprintln(t.Stdout, ":file")
		return ExitOK
	}
	for _, candidate := range candidates {
		if strings.HasPrefix(candidate, args[len(args)-1]) {
			fmt.Fprintln(t.Stdout, candidate)
		}
	}
	return ExitOK
}

// candidates returns what may stand in place of the last word, or tells that it is a path.
func (p Program) candidates(ctx context.Context, args []string, t Terminal) (all []string, file bool) {
	leading, line := p.split(args)
	if itself, ok := p.itself(); ok && len(leading) > 0 {
		return p.following(ctx, itself.New(), args, t)
	}
	for _, c := range p.Commands {
		if len(c.Words) > 0 && len(line) > len(c.Words) && c.Begins(line) {
			return p.following(ctx, c.New(), slices.Concat(leading, line[len(c.Words):]), t)
		}
	}
	if len(line) == 0 {
		return nil, false // the value of an option, or one, of a command that is not known yet
	}
	before := line[:len(line)-1]
	for _, c := range p.Commands {
		if len(c.Words) > len(before) && slices.Equal(c.Words[:len(before)], before) && !slices.Contains(all, c.Words[len(before)]) {
			all = append(all, c.Words[len(before)])
		}
	}
	return all, false
}

// itself returns the command that is the program without a sub-command; false if there is none.
func (p Program) itself() (Command, bool) {
	last := len(p.Commands) - 1
	if last < 0 || len(p.Commands[last].Words) > 0 {
		return Command{}, false
	}
	return p.Commands[last], true
}

// following returns what may stand in place of the last word behind a command.
func (p Program) following(ctx context.Context, i Invocation, args []string, t Terminal) (all []string, file bool) {
	options := i.Set.Options()
	last := args[len(args)-1]
	if strings.HasPrefix(last, "-") {
		for _, option := range options {
			all = append(all, "--"+option.Name)
		}
		return all, false
	}
	words := 0
	for at := 0; at < len(args)-1; at++ {
		option, value, isOption := optionAt(options, args, at)
		switch {
		case !isOption:
			words++
		case value && at+1 == len(args)-1:
			return p.values(ctx, option.Type, option.Choices, option.Names, args, t)
		case value:
			at++
		}
	}
	if argument, ok := i.Set.ArgumentAt(words); ok {
		return p.values(ctx, argument.Type, argument.Choices, argument.Names, args, t)
	}
	return nil, false
}

// optionAt returns the option at a place of a command line, and whether the next word is its value.
func optionAt(options []config.Option, args []string, at int) (option config.Option, value, ok bool) {
	if !strings.HasPrefix(args[at], "-") {
		return option, false, false
	}
	name, _, whole := strings.Cut(strings.TrimLeft(args[at], "-"), "=")
	for _, o := range options {
		if o.Name == name || o.Letter != "" && o.Letter == name {
			return o, !whole && !o.Switch, true
		}
	}
	return option, false, true
}

// values returns what an option or an argument may be.
func (p Program) values(ctx context.Context, kind string, choices []string, names string, args []string, t Terminal) (all []string, file bool) {
	switch {
	case len(choices) > 0:
		return choices, false
	case names != "" && p.Names != nil:
		return slices.DeleteFunc(p.Names(ctx, names, t.given(args)), func(name string) bool { return !isPlain(name) }), false
	}
	return nil, kind == config.TypeFile || kind == config.TypeDirectory
}

// isPlain reports whether a shell reads a word as it stands: others choose the names of what there is, and shells run what they complete.
func isPlain(word string) bool {
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@+,") == "" && word[0] != '-'
}

// given returns the terminal with the options of a command line as environment variables, so that a line that is not finished can be read.
func (t Terminal) given(args []string) Terminal {
	environ := slices.Clone(t.Environ)
	for i, word := range args[:len(args)-1] {
		name, value, whole := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if name == word {
			continue
		}
		if !whole {
			value = args[i+1]
		}
		if name == "e" {
			name = "environment"
		}
		environ = append(environ, config.Variable(name)+"="+value)
	}
	t.Environ = environ
	return t
}
