package e2e_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/flagside/flagside/internal/process"
)

// startDev runs "flagside dev" on a file with the given content.
func startDev(s *system, content string) (file string, sidecar *process.Sidecar) {
	s.t.Helper()
	file = filepath.Join(s.t.TempDir(), "flags.json")
	write(s.t, file, content)
	a := addresses(s.t, 2)
	p, err := process.Start(binaries.Flagside, "dev", "--ofrep-addr", a[0], "--management-addr", a[1], "--flagd-addr", "off", "--flagd-sync-addr", "off",
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

// A second signal ends dev while it still waits for a client, and neither its temporary change log nor its sockets stay behind.
func TestDevLeavesNothingAfterTwoSignals(t *testing.T) {
	s := newSystem(t)
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "flags.json"), filepath.Join(dir, "flagd.sock")
	write(t, file, first)
	a := addresses(t, 2)
	p, err := process.Start(binaries.Flagside, "dev", "--ofrep-addr", a[0], "--management-addr", a[1], "--flagd-addr", "unix:"+socket,
		"--flagd-sync-addr", "off", "--admin-addr", s.admin, "--nats-addr", s.nats, file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	s.await("the greeting", p, "Try:")
	temporary := regexp.MustCompile(`change log +(\S+) \(removed`).FindStringSubmatch(p.Output())
	if temporary == nil {
		t.Fatalf("no temporary directory is named:\n%s", p.Output())
	}
	client, err := net.Dial("tcp", a[0]) // half a request, for which the sidecar waits
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("POST /ofrep/v1/evaluate/flags/greeting HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	s.signal(p, syscall.SIGTERM)
	s.await("the end", p, "stopping")
	s.signal(p, syscall.SIGTERM)
	select {
	case <-p.Done():
	case <-s.ctx.Done():
		t.Fatalf("it does not end:\n%s", p.Output())
	}
	for _, path := range []string{temporary[1], socket} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

func (s *system) signal(p *process.Process, sent os.Signal) {
	s.t.Helper()
	if err := p.Signal(sent); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until a process has printed something.
func (s *system) await(what string, p *process.Process, text string) {
	s.t.Helper()
	if err := process.Await(s.ctx, "waiting for "+what, func() bool { return strings.Contains(p.Output(), text) }); err != nil {
		s.t.Fatalf("%v\n%s", err, p.Output())
	}
}
