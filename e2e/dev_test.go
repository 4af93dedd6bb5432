package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flagside/flagside/e2e/process"
)

// startDev runs "publisher dev" on a file with the given content.
func startDev(s *system, content string) (file string, sidecar *process.Sidecar) {
	s.t.Helper()
	file = filepath.Join(s.t.TempDir(), "flags.json")
	write(s.t, file, content)
	a := addresses(s.t, 2)
	p, err := process.Start(binaries.Publisher, "dev", "--ofrep-addr", a[0], "--management-addr", a[1], "--flagd-addr", "off", "--flagd-sync-addr", "off",
		"--admin-addr", s.admin, "--nats-addr", s.nats, file)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Kill)
	return file, &process.Sidecar{Process: p, OFREP: a[0], Management: a[1]}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	first  = `{"flags":{"greeting":{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a"}}}`
	second = `{"flags":{"greeting":{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b"}}}`
	broken = "{\"flags\":{\"greeting\":{\"state\":\"ENABLED\",\n\"variants\":{\"a\":1},\n\"defaultVariant\":\"c\"}}}"
	other  = `{"flags":{"farewell":{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}}}`
)

// The file is the truth: an edit changes the answer, a broken edit is refused
// with its place and changes nothing, and what leaves the file is gone.
func TestDevFollowsTheFile(t *testing.T) {
	s := newSystem(t)
	file, dev := startDev(s, first)
	s.awaitReady(dev)
	s.wantAnswer(dev, "greeting", http.StatusOK, "1")

	write(t, file, second)
	s.awaitValue(dev, "greeting", "2")

	write(t, file, broken)
	err := process.Await(s.ctx, "waiting for the refusal", func() bool {
		return strings.Contains(dev.Output(), filepath.Base(file)+":3:")
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, dev.Output())
	}
	s.wantAnswer(dev, "greeting", http.StatusOK, "2")

	write(t, file, other)
	s.awaitValue(dev, "farewell", "1")
	s.wantAnswer(dev, "greeting", http.StatusNotFound, "FLAG_NOT_FOUND")
}

// The environment of a file cannot be written by the API.
func TestDevRefusesWrites(t *testing.T) {
	s := newSystem(t)
	_, dev := startDev(s, first)
	s.awaitReady(dev)
	var token string
	err := process.Await(s.ctx, "the token in the greeting", func() bool {
		token = regexp.MustCompile(`flagside_\S+`).FindString(dev.Output())
		return token != ""
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	p := process.Publisher{Process: dev.Process, Admin: s.admin, TokenFile: file}
	_, err = p.PutFlag(s.ctx, "dev", "farewell", "", []byte(`{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}`))
	if err == nil || !strings.Contains(err.Error(), "flags.json") {
		t.Fatalf("a write to the environment of a file: %v; want a refusal that names the file", err)
	}
}
