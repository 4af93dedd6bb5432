package manifest_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// patience is how long a condition may take on a machine that is busy with other tests.
const patience = 30 * time.Second

// product is the root of the repository, a module of its own.
const product = "../.."

// system is a publisher with the default policies, the environments staging and prod, and a sidecar of staging.
type system struct {
	dir     string // the project that the command line works in
	address string // of the publisher
	token   string
	ofrep   string // address of the sidecar
	client  *client.Client
}

// start builds and runs everything until the test ends.
func start(t *testing.T) *system {
	t.Helper()
	bin, data := t.TempDir(), t.TempDir()
	run(t, exec.CommandContext(t.Context(), "go", "-C", product, "build", "-o", bin+"/", "./cmd/publisher", "./cmd/sidecar"))
	run(t, exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "github.com/open-feature/cli/cmd/openfeature"))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	free, err := process.FreeAddresses(4)
	if err != nil {
		t.Fatal(err)
	}
	admin, nats, ofrep, management := free[0], free[1], free[2], free[3]
	publisher := background(t, filepath.Join(bin, "publisher"), "serve", "--data-dir", data, "--admin-addr", admin, "--nats-addr", nats)
	await(t, publisher, "http://"+admin+"/readyz")
	secret, err := os.ReadFile(filepath.Join(data, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	s := &system{dir: t.TempDir(), address: "http://" + admin, token: strings.TrimSpace(string(secret)), ofrep: "http://" + ofrep}
	if s.client, err = client.New(client.Options{Address: s.address, Token: s.token}); err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"staging", "prod"} {
		if _, err := s.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: environment}, api.AdministrationHeaders{}); err != nil {
			t.Fatal(err)
		}
	}
	sidecar := background(t, filepath.Join(bin, "sidecar"), "--environment", "staging", "--nats", "nats://"+nats, "--trust-file", filepath.Join(data, "trust"),
		"--ofrep-addr", ofrep, "--management-addr", management, "--flagd-addr", "off", "--flagd-sync-addr", "off")
	await(t, sidecar, "http://"+management+"/readyz")
	return s
}

// background runs a program until the test ends.
func background(t *testing.T, program string, arguments ...string) *process.Process {
	t.Helper()
	p, err := process.Start(program, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(patience) }) // how it ends is the subject of other tests
	return p
}

// await waits until a page answers 200.
func await(t *testing.T, p *process.Process, page string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s never answered 200:\n%s", page, p.Output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// run runs a command to its end, which must be a good one, and returns its output.
func run(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
	return string(out)
}

// colours are what terminals take as such.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// openfeature runs OpenFeature's command line in the project. It returns what people see, and whether it ended well.
func (s *system) openfeature(t *testing.T, arguments ...string) (shown string, ok bool) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "openfeature", append(arguments, "--no-input")...)
	c.Dir = s.dir
	out, err := c.CombinedOutput()
	shown = strings.Join(strings.Fields(colours.ReplaceAllString(string(out), "")), " ")
	t.Logf("$ openfeature %s\n%s", strings.ReplaceAll(strings.Join(arguments, " "), s.token, "TOKEN"), colours.ReplaceAllString(string(out), ""))
	return shown, err == nil
}

// works runs OpenFeature's command line, which must end well and show a text.
func (s *system) works(t *testing.T, text string, arguments ...string) {
	t.Helper()
	if shown, ok := s.openfeature(t, arguments...); !ok || !strings.Contains(shown, text) {
		t.Fatalf("openfeature %s ended well: %t, and showed\n%s\nwant it to show %q", strings.Join(arguments, " "), ok, shown, text)
	}
}

// fails runs OpenFeature's command line, which must fail and show a text.
func (s *system) fails(t *testing.T, text string, arguments ...string) {
	t.Helper()
	if shown, ok := s.openfeature(t, arguments...); ok || !strings.Contains(shown, text) {
		t.Fatalf("openfeature %s failed: %t, and showed\n%s\nwant it to show %q", strings.Join(arguments, " "), !ok, shown, text)
	}
}

// provider returns the options that name an environment of the publisher, and the caller.
func (s *system) provider(environment string) []string {
	return []string{"--provider-url", s.address + "/api/v1/environments/" + environment, "--auth-token", s.token}
}
