package live

import (
	"net/url"
	"strings"
	"testing"
)

// What is read as an id is what would be written, and of as many environments as the stream has.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"", "1f0c9a7e-42", "1f0c9a7e-42,00000000-1", ",", "1f0c9a7e-042", "1f0c9a7e-18446744073709551616", "-", "1F0C9A7E-1"} {
		f.Add(seed, 1)
		f.Add(seed, 2)
	}
	f.Fuzz(func(t *testing.T, text string, environments int) {
		if tokens, ok := parseID(text, environments); ok && (len(tokens) != environments || idOf(tokens) != text) {
			t.Errorf("%q of %d is read as %v", text, environments, tokens)
		}
	})
}

func FuzzEnvironmentsIn(f *testing.F) {
	for _, seed := range []string{"", "environment=prod", "environment=prod&environment=staging", "environment=prod&environment=prod", "environment=a.b", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		names, err := environmentsIn(query)
		if err == nil && (len(names) == 0 || len(names) > MaxEnvironments || strings.ContainsAny(strings.Join(names, ""), ".*> \r\n")) {
			t.Errorf("%q names %q", text, names)
		}
	})
}
