package cli_test

import (
	"strings"
	"testing"
)

// TestWarningsStandInEveryStep changes a flag of an environment that tolerates what flagd tolerates, and wants the warning, and what to do
// about it, in each step.
func TestWarningsStandInEveryStep(t *testing.T) {
	t.Parallel()
	s := &session{t: t, address: serve(t)}
	const (
		misspelt = `{"targeting":{"fractional":[["on",88],["of",12]]}}`
		warning  = `the variant "of" does not exist (the variants are `
	)
	s.run(0, "admin", "", "environment create prod")
	s.run(0, "admin", `{"compatibility":"flagd"}`, "settings put -e prod --break-glass -m migration")
	s.run(0, "admin", flag, "flag put checkout -e prod --break-glass -m first")
	warned := func(who, stdin, line string) string {
		output := s.run(0, who, stdin, line)
		if !strings.Contains(output, warning) {
			t.Errorf("%s: no warning in\n%s", line, output)
		}
		return output
	}
	warned("editor", misspelt, "flag patch checkout -e prod --dry-run")
	opened := warned("editor", misspelt, "flag patch checkout -e prod --propose")
	id, hash := wordAfter(t, opened, "request "), wordAfter(t, opened, "hash ")
	warned("approver", "", "request get "+id+" -e prod")
	warned("approver", "", "request approve "+id+" -e prod --hash "+hash)
	warned("editor", "", "request apply "+id+" -e prod")
	if history := s.run(0, "viewer", "", "flag history checkout -e prod"); !strings.Contains(history, "as of today:\nwarning: ") {
		t.Errorf("no warning in\n%s", history)
	}
	history := s.run(0, "viewer", "", "flag history checkout -e prod -o json")
	if !strings.Contains(history, `"hint": "the variants are `) {
		t.Errorf("no warning in\n%s", history)
	}
}
