package cli

import (
	"fmt"
	"strings"
)

// visible returns text with what a terminal would obey rather than show as \u and four hexadecimal digits, which JSON and YAML read as the
// same character: control characters other than line ends, what turns the direction of writing, and the separators of lines and paragraphs.
func visible(text string) string {
	if strings.IndexFunc(text, obeyed) < 0 {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if obeyed(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// printable is visible for text of one line: line ends and tabs, which would end a cell, become spaces.
func printable(text string) string {
	return visible(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, text))
}

// obeyed reports whether a terminal may obey a character.
func obeyed(r rune) bool {
	switch {
	case r == '\n':
		return false
	case r < 0x20, 0x7f <= r && r <= 0x9f: // C0, DEL and C1
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // direction
		return true
	default:
		return r == 0x2028 || r == 0x2029
	}
}

// shellWord returns a text as a shell reads it as one word, for command lines that people copy: others choose the keys of flags.
func shellWord(text string) string {
	plain := strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@+,")
	if plain == "" && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(printable(text), "'", `'\''`) + "'"
}
