package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// usageWidth is how many columns a line of usage takes at most, where words permit.
const usageWidth = 110

// Usage returns the usage text of the command: its own options first, then those that many commands have.
func (s *Set) Usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: %s [options]\n", wrap(s.synopsis, 0), strings.Join(append([]string{s.command}, s.Arguments()...), " "))
	if len(s.arguments) > 0 {
		b.WriteString("\n")
	}
	for _, argument := range s.arguments {
		b.WriteString(line(argument.label(), argument.usage))
	}
	for _, group := range []struct {
		title  string
		shared bool
	}{{"Options:", false}, {"Options of many commands:", true}} {
		title := "\n" + group.title + "\n"
		for _, option := range s.all() {
			if option.shared == group.shared {
				b.WriteString(title + line(option.flags(), option.Usage+option.facts()))
				title = ""
			}
		}
	}
	if example := s.variableExample(); example != nil {
		fmt.Fprintf(&b, "\nOptions can also be set by environment variables: --%s by %s.\n", example.Name, example.Env)
	}
	return b.String()
}

// variableExample returns an option that a variable can set, one of the command itself if there is any.
func (s *Set) variableExample() *Option {
	for _, option := range s.all() {
		if !option.explicit {
			return option
		}
	}
	return nil
}

// flags returns the option as it stands on a command line, with the type of its value.
func (o *Option) flags() string {
	name := "--" + o.Name
	if o.Letter != "" {
		name = "-" + o.Letter + ", " + name
	}
	if o.Switch {
		return name
	}
	return name + " " + o.Type
}

// facts returns what happens without the option.
func (o *Option) facts() string {
	switch {
	case o.required:
		return " (required)"
	case o.Default != "" && !(o.Switch && o.Default == "false"):
		return " (default " + o.Default + ")"
	default:
		return ""
	}
}

// usageColumn is where the texts of usage begin. A name that needs more has a line of its own.
const usageColumn = 32

// line returns a name and a text about it.
func line(name, text string) string {
	text = wrap(text, usageColumn)
	if len(name)+4 > usageColumn {
		return "  " + name + "\n" + strings.Repeat(" ", usageColumn) + text + "\n"
	}
	return fmt.Sprintf("  %-*s%s\n", usageColumn-2, name, text)
}

// wrap breaks text into lines that begin at a column, the first excepted.
func wrap(text string, column int) string {
	var b strings.Builder
	at := column
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > usageWidth:
			b.WriteString("\n" + strings.Repeat(" ", column))
			at = column
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

// Markdown returns the command as a chapter of the documentation: a heading of the second level, the synopsis, and a table with one
// option a row. What every command has (--config, --check, --print-config) is left out. It ends with an empty line.
func (s *Set) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## `%s", s.command)
	for _, argument := range s.arguments {
		b.WriteString(" " + argument.label())
	}
	fmt.Fprintf(&b, "`\n\n%s\n\n", s.synopsis)
	b.WriteString("| Option | Environment variable | Type | Default | Meaning |\n|---|---|---|---|---|\n")
	for _, option := range s.options {
		env := code(option.Env)
		if option.secretEnv != "" {
			env += " or " + code(option.secretEnv) + " (the secret itself)"
		}
		byDefault := code(option.Default)
		if option.required {
			byDefault = "required"
		}
		name := code("--" + option.Name)
		if option.Letter != "" {
			name += " or " + code("-"+option.Letter)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n",
			name, env, cell(option.value.kind()), byDefault, cell(option.Usage))
	}
	b.WriteString("\n")
	return b.String()
}

// code returns text as inline code of a table cell, nothing for no text.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// cell escapes what would end a table cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// Print returns the configuration in use as a configuration file: one JSON object with every option of the command in the order of
// declaration. Of a secret it shows the path of its file, or a mask; passwords inside URLs are masked.
func (s *Set) Print() string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	b.WriteString("{")
	for i, option := range s.options {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n  %q: ", option.Name)
		// Strings, numbers, booleans, lists and objects of strings always encode.
		_ = encoder.Encode(masked(option.value.data()))
		b.Truncate(b.Len() - 1)
	}
	b.WriteString("\n}\n")
	return b.String()
}

// masked returns data with the passwords of all URLs masked.
func masked(data any) any {
	switch data := data.(type) {
	case string:
		return maskURLs(data)
	case []string:
		items := make([]string, len(data))
		for i, item := range data {
			items[i] = maskURLs(item)
		}
		return items
	case map[string]string:
		pairs := make(map[string]string, len(data))
		for name, text := range data {
			pairs[name] = maskURLs(text)
		}
		return pairs
	default:
		return data
	}
}

// maskURLs masks the user information of each of the comma-separated URLs in text. Text that is no URL stays as it is. It does not
// parse URLs, so that a malformed one does not show its password either.
func maskURLs(text string) string {
	items := strings.Split(text, ",")
	for i, item := range items {
		scheme, rest, found := strings.Cut(item, "://")
		if !found {
			continue
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			items[i] = scheme + "://" + mask + rest[at:]
		}
	}
	return strings.Join(items, ",")
}
