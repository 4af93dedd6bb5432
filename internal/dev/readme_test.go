package dev_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/dev"
)

// What the README tells to edit is there, and leads to the answers that it shows.
func TestReadmeShowsTheAnswers(t *testing.T) {
	t.Parallel()
	readme, flags := read(t, "../../README.md"), read(t, "../../examples/flags.json")
	file := newFile(t, flags)
	r := start(t, dev.Options{File: file})
	shown := func() bool {
		_, answer := r.ask(http.MethodPost, fmt.Sprintf("http://%s/ofrep/v1/evaluate/flags/new-checkout", r.OFREPAddr()), `{"context":{"targetingKey":"u4","country":"DE"}}`)
		before, _, _ := strings.Cut(answer, `"metadata"`)
		return strings.Contains(readme, before) && strings.Contains(answer, `"value"`)
	}
	r.await("the first answer of the README", shown)
	for _, edit := range []struct {
		line              int
		from, to, outcome string
	}{
		{45, `["on", 20], ["off", 80]`, `["on", 0], ["off", 100]`, `"value":false`},
		{40, `"off"`, `"of"`, `:40:25: flag "new-checkout" at /defaultVariant: the variant "of" does not exist (the variants are on, off)`},
	} {
		lines := strings.Split(flags, "\n")
		changed := strings.Replace(lines[edit.line-1], edit.from, edit.to, 1)
		if changed == lines[edit.line-1] {
			t.Fatalf("line %d has no %s", edit.line, edit.from)
		}
		for _, said := range []string{fmt.Sprintf("line %d", edit.line), "`" + edit.from + "`", "`" + edit.to + "`", edit.outcome} {
			if !strings.Contains(readme, said) {
				t.Errorf("the README does not say %s", said)
			}
		}
		lines[edit.line-1] = changed
		flags = strings.Join(lines, "\n")
		write(t, file, flags)
		r.await(edit.outcome, func() bool {
			_, answer := r.ask(http.MethodPost, fmt.Sprintf("http://%s/ofrep/v1/evaluate/flags/new-checkout", r.OFREPAddr()), `{"context":{"targetingKey":"u4","country":"DE"}}`)
			return strings.Contains(answer, edit.outcome) || strings.Contains(r.log.String(), strings.ReplaceAll(edit.outcome, `"`, `\"`))
		})
		if !shown() {
			t.Errorf("after the edit of line %d the answer is another than the README shows", edit.line)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
