package config

import "strings"

// Manual returns the command for a page of the manual in the macros of man(7): what it does, its arguments and its options. Those that many
// commands have are left out unless shared is true.
func (s *Set) Manual(shared bool) string {
	var b strings.Builder
	b.WriteString(Roff(s.synopsis) + "\n")
	for _, argument := range s.arguments {
		b.WriteString(entryOfManual(argument.label(), argument.usage))
	}
	for _, option := range s.all() {
		if shared || !option.shared {
			b.WriteString(option.manual())
		}
	}
	return b.String()
}

// SharedManual returns the options that many commands have for a page of the manual about some, each once.
func SharedManual(sets ...*Set) string {
	var b strings.Builder
	seen := make(map[string]bool)
	for _, set := range sets {
		for _, option := range set.all() {
			if option.shared && !seen[option.Name] {
				seen[option.Name] = true
				b.WriteString(option.manual())
			}
		}
	}
	return b.String()
}

func (o *Option) manual() string {
	return entryOfManual(o.flags(), o.Usage+o.facts())
}

func entryOfManual(name, text string) string {
	return ".TP\n.B " + Roff(name) + "\n" + Roff(text) + "\n"
}

// Roff returns text as it stands in a page of the manual, on a line of its own.
func Roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(strings.TrimSpace(text))
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
