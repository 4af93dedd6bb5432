package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// hostile returns text with every character that a terminal may obey, between characters that it shows.
func hostile() string {
	var text strings.Builder
	text.WriteString("é\u200c👩\u200d💻") // joiners belong to words and pictures
	for r := range rune(0x2070) {
		if obeyed(r) {
			text.WriteRune(r)
		}
	}
	return text.String() + "日"
}

// In every form of output no character is left that a terminal obeys, and JSON means what it meant.
func TestTerminalsAreGivenNothingToObey(t *testing.T) {
	t.Parallel()
	text := hostile()
	for _, r := range "\x1b\x00\x7f\u0085\u009b\u061c\u200e\u200f\u202a\u202e\u2028\u2029\u2066\u2069" {
		if !strings.ContainsRune(text, r) {
			t.Errorf("%U is not among what is obeyed", r)
		}
	}
	// What publishers answer: JSON that leaves all but C0 as it is.
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	value := map[string]any{"name": text, text: map[string]any{"x": text}, "list": []any{text}}
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	raw := strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(body.String())
	table := details(detail{"name", cell(text)}, detail{"list", cells([]string{text})}, detail{"all", valueCell(jsontext.Value(raw))})
	for _, format := range []string{formatJSON, formatYAML, formatTable} {
		var out bytes.Buffer
		s := &session{output: format, terminal: commandline.Terminal{Stdout: &out}}
		if err := s.print(jsontext.Value(raw), table); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(out.String(), obeyed); i >= 0 {
			t.Errorf("%s has %U", format, []rune(out.String()[i:])[0])
		}
		for _, want := range []string{"é\u200c👩\u200d💻", "日", `\u009b`, `\u202e`, `\u2028`, `\u007f`} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s lacks %s:\n%s", format, want, out.String())
			}
		}
		var again map[string]any
		if format != formatJSON {
			continue
		}
		if err := json.Unmarshal(out.Bytes(), &again); err != nil || !cmp.Equal(again, value) {
			t.Errorf("%s means something else: %v", format, err)
		}
	}
}

// Neither have differences and errors, which quote what people have written.
func TestErrorsAndDifferencesGiveNothingToObey(t *testing.T) {
	t.Parallel()
	err := (&session{}).refused(&client.Error{Problem: api.Problem{Status: 422, Detail: "The key " + hostile(), Errors: []api.ProblemPlace{{Key: hostile(), Reason: "wrong"}}}})
	for what, text := range map[string]string{
		"an error":     err.Error(),
		"a difference": difference(side{name: hostile(), text: hostile()}, side{name: "b", text: "other\n"}),
		"a text":       cell(hostile()),
		"texts":        cells([]string{hostile()}),
		"a name":       nameCell(api.Names{"ada": hostile()}, "ada"),
		"any value":    valueCell(quoted(hostile())),
	} {
		if i := strings.IndexFunc(text, obeyed); i >= 0 {
			t.Errorf("%s has %U", what, []rune(text[i:])[0])
		}
	}
}
