package e2e_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// command runs a command as an administrator, and compares what it prints.
func (s *system) command(wantCode int, want string, line ...string) {
	s.t.Helper()
	program := binaries.Flagside
	if line[1] == "destroy" {
		program = binaries.Publisher
	}
	c := exec.CommandContext(s.ctx, program, line...)
	c.Env = []string{"FLAGSIDE_ADMIN=http://" + s.admin, "FLAGSIDE_TOKEN_FILE=" + s.publisher.TokenFile}
	out, err := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); code != wantCode || !strings.Contains(string(out), want) {
		s.t.Fatalf("%s: exit code %d, %s (%v); want %d and %q", strings.Join(line, " "), code, out, err, wantCode, want)
	}
}

// stopPublisher ends the publisher as an operator does.
func (s *system) stopPublisher() {
	s.t.Helper()
	if err := s.publisher.Stop(30 * time.Second); err != nil {
		s.t.Fatal(err)
	}
}

// awaitCondition waits until a sidecar says, or no longer says, that something is wrong.
func (s *system) awaitCondition(sidecar *process.Sidecar, code string, present bool) {
	s.t.Helper()
	var conditions string
	err := process.Await(s.ctx, fmt.Sprintf("condition %s: %t", code, present), func() bool {
		status, err := sidecar.Status(s.ctx)
		conditions = fmt.Sprint(status["conditions"])
		return err == nil && strings.Contains(conditions, code) == present
	})
	if err != nil {
		s.t.Fatalf("%v; conditions %s", err, conditions)
	}
}

// A sidecar of an archived environment says so, serves what was there last as what it is, the newest, and goes on when it is revived.
func TestArchivedEnvironment(t *testing.T) {
	s := newSystem(t)
	s.startPublisher()
	s.createEnvironment("trial")
	etag := s.put("trial", "greeting", "", `"a"`)
	sidecar := s.startSidecar("trial", t.TempDir())
	s.awaitReady(sidecar)
	s.command(0, "is archived", "environment", "archive", "trial")
	s.awaitCondition(sidecar, "environment-archived", true)

	s.stopPublisher()
	s.startPublisher()
	restarted := s.startSidecar("trial", t.TempDir())
	s.awaitReady(restarted)
	s.awaitCondition(restarted, "environment-archived", true)
	for _, contradiction := range []string{"publisher-silent", "serving-from-memory"} {
		s.awaitCondition(restarted, contradiction, false)
	}
	if a, err := restarted.Evaluate(s.ctx, "greeting", `{}`); err != nil || string(a.Value) != `"a"` || a.Reason != "STATIC" {
		t.Errorf("the flag is %+v, %v", a, err)
	}

	s.command(0, "is in use again", "environment", "revive", "trial")
	s.awaitCondition(restarted, "environment-archived", false)
	s.put("trial", "greeting", etag, `"b"`)
	s.awaitValue(restarted, "greeting", `"b"`)
}

// Destroying takes an archived environment, a publisher that is stopped, and the name once more. What is not about documents stays.
func TestDestroyedEnvironment(t *testing.T) {
	s := newSystem(t)
	s.startPublisher()
	for _, name := range []string{"trial", "other"} {
		s.createEnvironment(name)
		s.put(name, "greeting", "", `"a"`)
	}
	sidecar := s.startSidecar("trial", t.TempDir())
	s.awaitReady(sidecar)
	destroy := []string{"environment", "destroy", "trial", "--data-dir", s.dataDir, "--keys", binaries.Keys(), "-m", "the trial is over"}
	confirmed := append(destroy, "--confirm", "trial")
	s.command(1, "another publisher uses the data directory", confirmed...)
	s.stopPublisher()
	s.command(1, "--confirm trial", destroy...)
	s.command(1, "archive it first", confirmed...)
	s.startPublisher()
	s.command(0, "is archived", "environment", "archive", "trial")
	s.stopPublisher()
	s.command(1, `"other" is not the environment's name: type "trial"`, append(destroy, "--confirm", "other")...)
	s.command(0, "deleted: stream FLAGS_trial", confirmed...)
	s.command(0, "recorded before", confirmed...)

	s.startPublisher()
	s.command(0, "destroyed", "environment", "get", "trial")
	s.command(4, "choose another name", "environment", "create", "trial")
	s.command(4, "its flags are gone", "environment", "revive", "trial")
	s.command(0, "the trial is over", "audit", "-e", "trial")
	s.command(0, "environment.destroyed", "audit", "control")
	s.command(0, `"a"`, "flag", "get", "greeting", "-e", "other")
	if left, err := filepath.Glob(filepath.Join(s.dataDir, "jetstream", "*", "streams", "*_trial")); err != nil || len(left) != 1 || filepath.Base(left[0]) != "LEDGER_trial" {
		t.Errorf("on disk are %s, %v", left, err)
	}
	s.awaitCondition(sidecar, "stream-lost", true)
	s.wantAnswer(sidecar, "greeting", http.StatusOK, `"a"`)
	s.awaitCondition(s.startSidecar("trial", t.TempDir()), "environment-unknown", true)
}
