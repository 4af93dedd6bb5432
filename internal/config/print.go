package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Usage returns the usage text of the command.
func (s *Set) Usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s [options]", s.command)
	for _, argument := range s.arguments {
		b.WriteString(" " + argument.name)
	}
	fmt.Fprintf(&b, "\n\n%s\n", s.synopsis)
	for _, argument := range s.arguments {
		fmt.Fprintf(&b, "\n  %s\n        %s\n", argument.name, argument.usage)
	}
	b.WriteString("\nOptions (also environment variables, or members of the file that --config names):\n")
	for _, option := range s.all() {
		name := "--" + option.Name
		if option.short != "" {
			name = "-" + option.short + ", " + name
		}
		fmt.Fprintf(&b, "\n  %s %s\n        %s\n        %s\n", name, option.value.kind(), option.Usage, option.facts())
	}
	return b.String()
}

// facts returns the environment variable and what happens without it.
func (o *Option) facts() string {
	facts := []string{o.Env}
	if o.secretEnv != "" {
		facts = append(facts, "or the secret itself in "+o.secretEnv)
	}
	switch {
	case o.required:
		facts = append(facts, "required")
	case o.Default != "":
		facts = append(facts, "default "+o.Default)
	}
	return "(" + strings.Join(facts, ", ") + ")"
}

// Markdown returns the command as a chapter of the documentation: a heading of the second level, the synopsis, and a table with one
// option a row. What every command has (--config, --check, --print-config) is left out. It ends with an empty line.
func (s *Set) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## `%s", s.command)
	for _, argument := range s.arguments {
		b.WriteString(" " + argument.name)
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
		if option.short != "" {
			name += " or " + code("-"+option.short)
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
