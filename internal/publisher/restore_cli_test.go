package publisher_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/cli"
)

// command runs a command of the command line as a role.
func (r *running) command(role string, line ...string) (code int, output string) {
	r.t.Helper()
	environment := func(name string) (string, bool) {
		text, ok := map[string]string{"FLAGSIDE_ADMIN": r.url, "FLAGSIDE_TOKEN": secretOf(role)}[name]
		return text, ok
	}
	for _, c := range cli.Commands() {
		n := len(c.Words)
		if len(line) < n || !slices.Equal(line[:n], c.Words) {
			continue
		}
		var out bytes.Buffer
		i := c.New()
		action, err := i.Set.Parse(line[n:], environment)
		if err == nil && action == config.ActionRun {
			err = i.Check()
		}
		if err == nil {
			err = i.Run(r.t.Context(), commandline.Terminal{Stdin: strings.NewReader(""), Stdout: &out})
		}
		if err != nil {
			out.WriteString(err.Error())
		}
		return cli.ExitCode(err), out.String()
	}
	r.t.Fatalf("there is no command %q", line)
	return 0, ""
}

// The command line shows the difference, names the change request that waits with an exit code of its own, and says when all is done.
func TestRestoreByCommand(t *testing.T) {
	skipShort(t)
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	file := filepath.Join(t.TempDir(), "prod.snapshot")
	if err := os.WriteFile(file, published(t, server, r, "f"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.agreeAndApply(r.propose("g", ""))
	f := func(role string, wantCode int, want string, line ...string) string {
		t.Helper()
		code, output := r.command(role, line...)
		if code != wantCode || !regexp.MustCompile(want).MatchString(output) {
			t.Errorf("%q: exit code %d, %s; want %d, %s", line, code, output, wantCode, want)
		}
		return output
	}
	f("editor", 0, `(?s)--- flag g now.*approvals needed: 1`, "environment", "restore", "prod", file, "--dry-run")
	f("administrator", 3, `not permitted`, "environment", "restore", "prod", file)
	waits := f("editor", 7, `(?s)--- flag g now.*change request [a-z0-9]+ waits for approval`, "environment", "restore", "prod", file, "--reason", "a mistake")
	found := regexp.MustCompile(`change request ([a-z0-9]+) waits`).FindStringSubmatch(waits)
	if found == nil {
		t.Fatal("there is no change request")
	}
	id := found[1]
	opened, err := r.client.Request(t.Context(), "prod", id)
	if err != nil {
		t.Fatal(err)
	}
	f("approver", 0, `approved`, "request", "approve", id, "-e", "prod", "--hash", opened.Hash[:12])
	f("editor", 0, `applied`, "request", "apply", id, "-e", "prod")
	f("editor", 0, `nothing to change`, "environment", "restore", "prod", file)
	f("administrator", 0, `(?s)nothing would change.*you may do it at once`, "environment", "recreate", "prod", "--dry-run")
	f("administrator", 0, `environment prod has a new epoch with 1 flags at revision [0-9a-f]{8}-`, "environment", "recreate", "prod")
}

// What is too large for one change request is made in several by one command, each under a key of its own.
func TestRestoreInPartsByCommand(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := governedOn(t, natstest.Start(t))
	r.create("staging")
	documents := make([]document.Document, 1200)
	for i := range documents {
		documents[i] = flagOf(fmt.Sprintf("f%04d", i), flagBody("on", ""))
	}
	file := filepath.Join(t.TempDir(), "staging.snapshot")
	if err := os.WriteFile(file, snapshot(t, "staging", documents...), 0o600); err != nil {
		t.Fatal(err)
	}
	line := []string{"environment", "restore", "staging", file, "--break-glass", "--reason", "all is lost", "--idempotency-key", "mine"}
	if code, output := r.command("admin", line...); code != 9 || !strings.Contains(output, "--parts") {
		t.Errorf("at once: exit code %d, %.500s; want 9 and the remedy", code, output)
	}
	for _, want := range []int{2, 0} { // repeating it changes nothing
		code, output := r.command("admin", append(line, "--parts")...)
		if n := strings.Count(output, "environment staging is restored"); code != 0 || n != want {
			t.Errorf("in parts: exit code %d, %d parts, want %d: %.500s", code, n, want, output)
		}
	}
	all, err := r.client.AllRequests(t.Context(), "staging", api.RequestQuery{})
	if err != nil || len(all) != 2 {
		t.Errorf("there are %d change requests, %v", len(all), err)
	}
}
