package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A flag that code still names is not removed by accident.
func TestReferences(t *testing.T) {
	t.Parallel()
	s := &session{t: t, address: serve(t)}
	report := filepath.Join(t.TempDir(), "refs.json")
	s.run(0, "admin", "", "environment create trial")
	for _, key := range []string{"checkout", "retries", "banner"} {
		s.run(0, "editor", "", "flag create "+key+" --bool -e trial")
	}
	const scan = "refs scan testdata/shop -e trial"
	s.run(0, "viewer", "", scan+" --exclude patterns.conf --report "+report)
	s.run(4, "editor", "", "flag archive checkout -e trial --references "+report)
	s.run(4, "editor", "", "flag delete retries -e trial --references "+report)
	s.run(0, "editor", "", "flag archive banner -e trial --references "+report)
	s.run(0, "editor", "", "flag create later --bool -e trial")
	s.run(9, "editor", "", "flag archive later -e trial --references "+report)
	s.run(9, "editor", "", "flag archive later -e trial --references testdata/shop/patterns.conf")
	unread := t.TempDir()
	for name, text := range map[string]string{"main.cs": "\xff\xfel\x00", "main.go": "package main"} {
		if err := os.WriteFile(filepath.Join(unread, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.run(0, "viewer", "", "refs scan "+unread+" -e trial --report "+report)
	s.run(4, "editor", "", "flag archive later -e trial --references "+report)
	s.run(9, "viewer", "", scan+" --exclude *")
	s.run(0, "viewer", "", scan+" --patterns testdata/shop/patterns.conf")
	s.run(9, "viewer", "", scan+" --patterns testdata/shop/cart.js.txt")
	s.run(9, "viewer", "", "refs scan testdata/nothing -e trial")

	const experiment = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","owner":"shop","kind":"experiment","expires":"2020-01-31",` +
		`"targeting":{"fractional":[["on",50],["off",50]]}}`
	s.run(0, "editor", experiment, "flag put checkout-button -e trial")
	s.run(0, "viewer", "", "lifecycle -e trial --references "+report)
	s.run(0, "viewer", "", "lifecycle -e trial --all --references "+report)
	s.run(0, "viewer", "", "lifecycle -e trial --stage expired -o json")
	s.run(0, "viewer", "", "lifecycle -e trial --stage stale")
	s.run(2, "viewer", "", "lifecycle -e trial --stage old")
	s.run(2, "viewer", "", "lifecycle -e trial --stale-days -1")
	s.run(5, "viewer", "", "lifecycle -e tril")
	golden(t, "testdata/references.txt", strings.NewReplacer(report, "refs.json", unread, "code").Replace(s.String()))
}
