package commandline

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/flagside/flagside/internal/config"
)

// help answers a command line that asks for help about some words.
func (p Program) help(line []string, t Terminal) int {
	for _, c := range p.Commands {
		if c.Begins(line) {
			fmt.Fprint(t.Stdout, p.usage(c))
			return ExitOK
		}
	}
	if len(line) == 0 {
		fmt.Fprint(t.Stdout, p.overview())
		return ExitOK
	}
	if found := p.beginning(line); len(found) > 0 {
		fmt.Fprint(t.Stdout, p.list(line, found))
		return ExitOK
	}
	return p.unknown(line, t)
}

// unknown answers a command line that names no command.
func (p Program) unknown(line []string, t Terminal) int {
	text := strings.Join(line, " ")
	fmt.Fprintf(t.Stderr, "%s: there is no command %q", p.Name, text)
	if program := p.movedTo(line); program != "" {
		fmt.Fprintf(t.Stderr, ": it is %s %s", program, text)
	} else if similar := p.similar(line); similar != "" {
		fmt.Fprintf(t.Stderr, ": did you mean %s %s?", p.Name, similar)
	}
	fmt.Fprintf(t.Stderr, "\n%s help lists what there is\n", p.Name)
	return ExitUsage
}

// movedTo returns the program that has a command now, empty if none is known to.
func (p Program) movedTo(line []string) string {
	for n := range line {
		if program := p.Moved[strings.Join(line[:n+1], " ")]; program != "" {
			return program
		}
	}
	return ""
}

// similar returns the command that a line resembles, empty if there is none.
func (p Program) similar(line []string) string {
	if found := p.beginning(line[:1]); len(found) > 0 { // the first word is right
		var verbs []string
		for _, c := range found {
			verbs = append(verbs, c.Words[1])
		}
		if verb := config.Similar(strings.Join(line[1:min(len(line), 2)], ""), verbs); verb != "" {
			return line[0] + " " + verb
		}
		return ""
	}
	var names []string
	for _, c := range p.Commands {
		names = append(names, c.Name(), c.Words[0])
	}
	for n := min(len(line), 2); n > 0; n-- {
		if name := config.Similar(strings.Join(line[:n], " "), names); name != "" {
			return name
		}
	}
	return ""
}

// beginning returns the commands of several words that begin with those of a line.
func (p Program) beginning(line []string) []Command {
	var found []Command
	for _, c := range p.Commands {
		if len(c.Words) > len(line) && slices.Equal(c.Words[:len(line)], line) {
			found = append(found, c)
		}
	}
	return found
}

// overview says what the program is for, and which commands there are.
func (p Program) overview() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\nUsage: %s COMMAND [options]\n", p.Summary, p.Name)
	if len(p.Topics) == 0 {
		out.WriteString("\n" + table(p.Commands))
	}
	width := 0
	for _, topic := range p.Topics {
		for _, entry := range topic.Entries {
			width = max(width, len(entry.Word))
		}
	}
	for _, topic := range p.Topics {
		fmt.Fprintf(&out, "\n%s\n", topic.Title)
		for _, entry := range topic.Entries {
			fmt.Fprintf(&out, "  %-*s  %s\n", width, entry.Word, entry.Short)
		}
	}
	if p.Variables != "" {
		fmt.Fprintf(&out, "\n%s\n", p.Variables)
	}
	fmt.Fprintf(&out, "\n%[1]s COMMAND lists what a command can do, %[1]s help COMMAND shows its options and examples.\n", p.Name)
	return out.String()
}

// list shows the commands that begin with some words.
func (p Program) list(line []string, found []Command) string {
	text := strings.Join(line, " ")
	return fmt.Sprintf("Usage: %s %s COMMAND [options]\n\n%s\n%s help %s COMMAND shows options and examples.\n", p.Name, text, table(found), p.Name, text)
}

// table shows commands with their arguments, one a line.
func table(all []Command) string {
	var out strings.Builder
	lines := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, c := range all {
		fmt.Fprintf(lines, "  %s\t%s\n", strings.Join(append(slices.Clone(c.Words), c.New().Set.Arguments()...), " "), c.Short)
	}
	_ = lines.Flush() // to memory, which takes everything
	return out.String()
}

// usage shows the options of a command, and examples.
func (p Program) usage(c Command) string {
	var out strings.Builder
	out.WriteString(c.New().Set.Usage())
	if len(c.Examples) > 0 {
		out.WriteString("\nExamples:\n")
	}
	for _, example := range c.Examples {
		fmt.Fprintf(&out, "  %s %s\n", p.Name, example)
	}
	if p.Variables != "" {
		fmt.Fprintf(&out, "\n%s\n", p.Variables)
	}
	return out.String()
}
