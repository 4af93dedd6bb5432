package commandline

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/telemetry"
)

// writingManual is the first word of the command line by which a release has the manual written to a directory.
const writingManual = "__manual"

// ManualPage is a page of the manual in the macros of man(7).
type ManualPage struct {
	Name string // of its file, such as flagside-flag.1
	Text string
}

// writeManual writes the manual to the directory that args name.
func (p Program) writeManual(args []string, t Terminal) int {
	if len(args) != 1 {
		fmt.Fprintf(t.Stderr, "%s: name the directory that the manual is to be written to\n", p.Name)
		return ExitUsage
	}
	for _, page := range p.Manual(telemetry.ThisBuild()) {
		if err := os.WriteFile(filepath.Join(args[0], page.Name), []byte(page.Text), 0o644); err != nil { //nolint:gosec // everybody may read a manual
			fmt.Fprintf(t.Stderr, "%s: %v\n", p.Name, err)
			return ExitFailure
		}
	}
	return ExitOK
}

// Manual returns the page of the program, and one for each first word of its commands.
func (p Program) Manual(build telemetry.Build) []ManualPage {
	words := p.firstWords()
	pages := []ManualPage{p.page(build, "", words)}
	for _, word := range words {
		pages = append(pages, p.page(build, word, words))
	}
	return pages
}

// firstWords returns those of the commands, each once.
func (p Program) firstWords() []string {
	var words []string
	for _, c := range p.Commands {
		if len(c.Words) > 0 && !slices.Contains(words, c.Words[0]) {
			words = append(words, c.Words[0])
		}
	}
	return words
}

// page returns the page about the commands that begin with a word, about the program if that is empty.
func (p Program) page(build telemetry.Build, word string, words []string) ManualPage {
	name := p.pageName(word)
	var out strings.Builder
	date, _, _ := strings.Cut(build.CommitTime, "T")
	fmt.Fprintf(&out, ".TH %s %d \"%s\" \"flagside %s\" \"flagside\"\n", strings.ToUpper(name), p.Section, date, build.Version)
	out.WriteString(".nh\n.ad l\n") // words of command lines stay whole
	if word == "" {
		p.writeProgram(&out, words)
	} else {
		p.writeCommands(&out, word)
	}
	p.writeEnd(&out, word, words)
	return ManualPage{fmt.Sprintf("%s.%d", name, p.Section), out.String()}
}

// pageName returns the name of the page about a word.
func (p Program) pageName(word string) string {
	if word == "" {
		return p.Name
	}
	return p.Name + "-" + word
}

// writeProgram writes what the page of the program begins with.
func (p Program) writeProgram(out *strings.Builder, words []string) {
	fmt.Fprintf(out, ".SH NAME\n%s \\- %s\n", p.Name, config.Roff(lowerFirst(firstSentence(p.Summary))))
	itself, ok := p.itself()
	if ok {
		fmt.Fprintf(out, ".SH SYNOPSIS\n.B %s\n[options]\n.br\n", p.Name)
	} else {
		out.WriteString(".SH SYNOPSIS\n")
	}
	fmt.Fprintf(out, ".B %s\nCOMMAND [options]\n.SH DESCRIPTION\n%s\n", p.Name, config.Roff(p.Summary))
	if ok {
		out.WriteString(".PP\n" + itself.New().Set.Manual(true))
		writeExamples(out, p.Name, itself)
	}
	out.WriteString(".SH COMMANDS\n")
	if len(p.Topics) == 0 {
		for _, word := range words {
			p.writeEntry(out, Entry{Word: word, Short: p.about(word)})
		}
	}
	for _, topic := range p.Topics {
		fmt.Fprintf(out, ".SS %s\n", config.Roff(topic.Title))
		for _, entry := range topic.Entries {
			p.writeEntry(out, entry)
		}
	}
}

// writeEntry writes a line of the overview with the page that says more.
func (p Program) writeEntry(out *strings.Builder, entry Entry) {
	word, _, _ := strings.Cut(entry.Word, " ")
	fmt.Fprintf(out, ".TP\n.B %s\n%s: see\n.BR %s (%d)\n", config.Roff(entry.Word), config.Roff(entry.Short), config.Roff(p.pageName(word)), p.Section)
}

// about says in a line what the commands are for that begin with a word.
func (p Program) about(word string) string {
	for _, topic := range p.Topics {
		for _, entry := range topic.Entries {
			if first, _, _ := strings.Cut(entry.Word, " "); first == word {
				return entry.Short
			}
		}
	}
	var all []string
	for _, c := range p.commands(word) {
		all = append(all, c.Short)
	}
	return strings.Join(all, "; ")
}

// commands returns those that begin with a word.
func (p Program) commands(word string) []Command {
	return slices.DeleteFunc(slices.Clone(p.Commands), func(c Command) bool { return len(c.Words) == 0 || c.Words[0] != word })
}

// writeCommands writes the commands that begin with a word, then the options that they share with many others.
func (p Program) writeCommands(out *strings.Builder, word string) {
	all := p.commands(word)
	fmt.Fprintf(out, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", config.Roff(p.pageName(word)), config.Roff(lowerFirst(p.about(word))))
	for i, c := range all {
		if i > 0 {
			out.WriteString(".br\n")
		}
		fmt.Fprintf(out, ".B %s\n%s\n", config.Roff(p.Name+" "+c.Name()), config.Roff(strings.Join(append(c.New().Set.Arguments(), "[options]"), " ")))
	}
	out.WriteString(".SH DESCRIPTION\n")
	var sets []*config.Set
	for _, c := range all {
		set := c.New().Set
		sets = append(sets, set)
		if len(all) > 1 {
			fmt.Fprintf(out, ".SS %s\n", config.Roff(strings.Join(append([]string{p.Name, c.Name()}, set.Arguments()...), " ")))
		}
		out.WriteString(set.Manual(false))
		writeExamples(out, p.Name, c)
	}
	out.WriteString(".SH OPTIONS OF MANY COMMANDS\n" + config.SharedManual(sets...))
}

// writeExamples writes complete command lines.
func writeExamples(out *strings.Builder, program string, c Command) {
	if len(c.Examples) == 0 {
		return
	}
	out.WriteString(".PP\nExamples:\n.PP\n.RS 4\n.nf\n")
	for _, example := range c.Examples {
		out.WriteString(config.Roff(program+" "+example) + "\n")
	}
	out.WriteString(".fi\n.RE\n")
}

// writeEnd writes what all pages end with.
func (p Program) writeEnd(out *strings.Builder, word string, words []string) {
	out.WriteString(".SH ENVIRONMENT\n")
	if p.Variables != "" {
		out.WriteString(config.Roff(p.Variables) + "\n.PP\n")
	}
	out.WriteString(config.Roff("The name of the variable for an option is FLAGSIDE_ and the name of the option in capital letters, with _ for -: "+
		"FLAGSIDE_PRINT_CONFIG for --print-config. The command line overrides it, and it overrides the file that --config names.") + "\n")
	out.WriteString(".SH EXIT STATUS\n")
	for _, code := range p.exitCodes() {
		fmt.Fprintf(out, ".TP\n.B %s\n%s\n", code.Word, config.Roff(code.Short))
	}
	if others := slices.DeleteFunc(append([]string{""}, words...), func(other string) bool { return other == word }); len(others) > 0 {
		out.WriteString(".SH SEE ALSO\n")
		for i, other := range others {
			comma := ","
			if i == len(others)-1 {
				comma = ""
			}
			fmt.Fprintf(out, ".BR %s (%d)%s\n", config.Roff(p.pageName(other)), p.Section, comma)
		}
	}
}

// exitCodes returns the meaning of each exit code.
func (p Program) exitCodes() []Entry {
	if p.ExitCodes != nil {
		return p.ExitCodes
	}
	return []Entry{{"0", "done"}, {"1", "what was asked for could not be done"}, {"2", "what was asked for makes no sense; nothing was done"}}
}

func firstSentence(text string) string {
	sentence, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(sentence, ".")
}

// lowerFirst begins a text with a small letter, as the line of a manual page that apropos(1) reads does. Abbreviations stay as they are.
func lowerFirst(text string) string {
	if len(text) < 2 || text[1] < 'a' {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
