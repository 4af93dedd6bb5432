package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/config"
)

// Completable is a sub-command as shells complete it.
type Completable struct {
	Words   []string
	Options []config.Option
}

// Shells are those that [Completion] knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion returns the script that makes a shell complete the sub-commands of publisher and their options. All shells complete what
// bash does, from the same table; zsh reads it by its own emulation.
func Completion(shell string, commands []Completable) (string, error) {
	switch shell {
	case "bash":
		return bash(commands), nil
	case "zsh":
		return "#compdef publisher\nautoload -U +X bashcompinit && bashcompinit\n" + bash(commands), nil
	case "fish":
		return fish(commands), nil
	default:
		return "", fmt.Errorf("%q is none of the shells %s", shell, strings.Join(Shells(), ", "))
	}
}

// next returns, for every beginning of sub-commands, the words that may follow.
func next(commands []Completable) (beginnings []string, following map[string][]string) {
	following = make(map[string][]string)
	for _, c := range commands {
		for i, word := range c.Words {
			beginning := strings.Join(c.Words[:i], " ")
			if !slices.Contains(beginnings, beginning) {
				beginnings = append(beginnings, beginning)
			}
			if !slices.Contains(following[beginning], word) {
				following[beginning] = append(following[beginning], word)
			}
		}
	}
	return beginnings, following
}

// flags returns the options of a sub-command as words.
func flags(c Completable) []string {
	names := make([]string, len(c.Options))
	for i, option := range c.Options {
		names[i] = "--" + option.Name
	}
	return names
}

// takesFile reports whether the value of an option is the path of a file or directory.
func takesFile(option config.Option) bool {
	usage := option.Usage
	return strings.HasPrefix(usage, "file ") || strings.HasPrefix(usage, "PEM file") || strings.HasPrefix(usage, "JSON file") ||
		strings.HasPrefix(usage, "directory ")
}

func bash(commands []Completable) string {
	var out strings.Builder
	out.WriteString(`_publisher() {
  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" i
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    [[ "${COMP_WORDS[i]}" == -* ]] && break
    words="${words:+$words }${COMP_WORDS[i]}"
  done
  case "$words" in
`)
	for _, c := range commands {
		if len(c.Words) == 1 {
			continue // after those with two words, because one matches what follows it
		}
		bashCase(&out, c, strings.Join(c.Words, " "))
	}
	for _, c := range commands {
		if len(c.Words) == 1 {
			bashCase(&out, c, c.Words[0]+"|"+c.Words[0]+" *")
		}
	}
	beginnings, following := next(commands)
	for _, beginning := range beginnings {
		fmt.Fprintf(&out, "    %s) words=%q ;;\n", bashPattern(beginning), strings.Join(following[beginning], " "))
	}
	out.WriteString(`    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _publisher publisher
`)
	return out.String()
}

// bashPattern quotes the alternatives of a case, in which a star at the end stands for anything.
func bashPattern(text string) string {
	parts := strings.Split(text, "|")
	for i, part := range parts {
		if rest, open := strings.CutSuffix(part, "*"); open {
			parts[i] = fmt.Sprintf("%q*", rest)
		} else {
			parts[i] = fmt.Sprintf("%q", part)
		}
	}
	return strings.Join(parts, "|")
}

func bashCase(out *strings.Builder, c Completable, pattern string) {
	var files []string
	for _, option := range c.Options {
		if takesFile(option) {
			files = append(files, "--"+option.Name)
		}
	}
	fmt.Fprintf(out, "    %s)\n", bashPattern(pattern))
	if len(files) > 0 {
		fmt.Fprintf(out, "      case \"$before\" in %s) return ;; esac\n", strings.Join(files, "|"))
	}
	fmt.Fprintf(out, "      [[ \"$current\" == -* ]] || return\n      words=%q ;;\n", strings.Join(flags(c), " "))
}

func fish(commands []Completable) string {
	var out strings.Builder
	out.WriteString(`function __publisher_at
  set -l words
  for word in (commandline -opc)[2..3]
    string match -q -- '-*' $word; and break
    set -a words $word
  end
  test "$words" = "$argv"
end
function __publisher_begins
  set -l words (commandline -opc)
  test "$words[2]" = "$argv"
end
`)
	beginnings, following := next(commands)
	for _, beginning := range beginnings {
		fmt.Fprintf(&out, "complete -c publisher -f -n '__publisher_at %s' -a '%s'\n", beginning, strings.Join(following[beginning], " "))
	}
	for _, c := range commands {
		at := "__publisher_at"
		if len(c.Words) == 1 {
			at = "__publisher_begins"
		}
		for _, option := range c.Options {
			fmt.Fprintf(&out, "complete -c publisher -n '%s %s' -l %s%s\n", at, strings.Join(c.Words, " "), option.Name, fishValue(option))
		}
	}
	return out.String()
}

// fishValue says what fish completes after an option.
func fishValue(option config.Option) string {
	switch {
	case takesFile(option):
		return " -rF"
	case option.Default == "true" || option.Default == "false":
		return ""
	default:
		return " -x"
	}
}
