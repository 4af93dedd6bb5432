package sidecar_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/waiting"
)

// New can be undone: afterwards the ports and the data directory are free.
func TestNewIsUndone(t *testing.T) {
	o := options(nowhere)
	o.DataDir = t.TempDir()
	first, err := sidecar.New(o)
	if err != nil {
		t.Fatal(err)
	}
	o.OFREPAddr, o.ManagementAddr = first.OFREPAddr().String(), first.ManagementAddr().String()
	if _, err := sidecar.New(o); err == nil {
		t.Fatal("two sidecars share their ports and their data directory")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := sidecar.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

// A New that fails leaves nothing behind.
func TestNewThatFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := options(nowhere)
	o.DataDir = t.TempDir()
	free := o
	o.ManagementAddr = taken.Addr().String()
	if _, err := sidecar.New(o); err == nil || !strings.Contains(err.Error(), "management") {
		t.Fatalf("error %v does not name the port", err)
	}
	s, err := sidecar.New(free)
	if err != nil {
		t.Fatalf("the data directory is still locked: %v", err)
	}
	s.Close()
}

func TestOptionsAreValidated(t *testing.T) {
	for name, spoil := range map[string]func(*sidecar.Options){
		"environment":   func(o *sidecar.Options) { o.Environment = "No Label" },
		"no server":     func(o *sidecar.Options) { o.NATS = "" },
		"URL":           func(o *sidecar.Options) { o.NATS = "http://127.0.0.1:1" },
		"credentials":   func(o *sidecar.Options) { o.NATSCredentials = "/nonexistent" },
		"inbox prefix":  func(o *sidecar.Options) { o.NATSInboxPrefix = "_SC." },
		"compatibility": func(o *sidecar.Options) { o.Compatibility = "other" },
	} {
		o := options(nowhere)
		spoil(&o)
		if s, err := sidecar.New(o); err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// Once Run has returned, nothing of the sidecar runs any more.
func TestRunLeavesNoGoroutines(t *testing.T) {
	server := natstest.Start(t)
	p, stop := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	stop()
	for name, o := range map[string]sidecar.Options{
		"connected":   {NATS: server.URL(), DataDir: t.TempDir()},
		"in process":  {Server: server},
		"unreachable": {NATS: nowhere},
	} {
		t.Run(name, func(t *testing.T) {
			o.Environment, o.OFREPAddr, o.ManagementAddr = environment, "127.0.0.1:0", "127.0.0.1:0"
			o.FlagdAddr, o.FlagdSyncAddr = "127.0.0.1:0", "127.0.0.1:0"
			o.GateAddr, o.GateGRPCAddr, o.Gate.Flags = "127.0.0.1:0", "127.0.0.1:0", map[string]string{"/": "greeting"}
			s := start(t, o)
			events := s.openStream(s.FlagdAddr(), "/flagd.evaluation.v2.Service/EventStream")
			documents := s.openStream(s.FlagdSyncAddr(), "/flagd.sync.v1.FlagSyncService/SyncFlags")
			if name == "unreachable" {
				s.evaluate("greeting")
			} else {
				s.awaitValue("greeting", 1.0)
				waiting.Until(t, "the first event", func() bool { return events.has("provider_ready") })
			}
			s.get("/metrics")
			gate := s.askGate()
			if want := map[bool]string{true: "", false: "a"}[name == "unreachable"]; gate.Get("X-Flag-Greeting") != want {
				t.Errorf("the gate answers %v", gate)
			}
			s.stop()
			if said := events.whole(); name != "unreachable" && !strings.Contains(said, "provider_shutdown") {
				t.Errorf("the stream of events ends with %q", said)
			}
			documents.whole()
			defer func() {
				if left := goroutines(); t.Failed() && len(left) > 0 {
					t.Log(strings.Join(left, "\n\n"))
				}
			}()
			waiting.Until(t, "the end of all goroutines", func() bool { return len(goroutines()) == 0 })
		})
	}
}

// spoken is what a sidecar says on a stream.
type spoken struct {
	ended chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

// Write adds to it.
func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// whole waits for the end.
func (s *spoken) whole() string {
	<-s.ended
	return s.text.String()
}

// openStream calls a streaming procedure and listens until the stream ends.
func (r *running) openStream(addr net.Addr, procedure string) *spoken {
	r.t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, "POST "+procedure+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n\x00\x00\x00\x00\x02{}")
	if err != nil {
		r.t.Fatal(err)
	}
	said := &spoken{ended: make(chan struct{})}
	go func() {
		defer close(said.ended)
		_, err := io.Copy(said, c)
		if errors.Is(err, syscall.ECONNRESET) && said.text.Len() == 0 {
			return // the sidecar ended before it had accepted the connection
		}
		if err != nil {
			r.t.Error(err)
		}
	}()
	return said
}

// goroutines returns the stacks of goroutines that run code of a sidecar. Clients that the test itself used are closed by then.
func goroutines() []string {
	all := make([]byte, 1<<20)
	var ours []string
	for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(stack, "sidecar_test.") || strings.Contains(stack, "testing.tRunner(") {
			continue
		}
		for _, code := range []string{"/internal/sidecar", "flagside/sync.", "flagside/cache.", "fasthttp", "ristretto", "nats-io/nats%2ego.", "net/http.(*Server)", "net/http.(*http2serverConn)"} {
			if strings.Contains(stack, code) {
				ours = append(ours, stack)
				break
			}
		}
	}
	return ours
}

// While requests drain, the sidecar says that it is going, and still answers its management port.
func TestReadinessGoesFirst(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{}}`)
	s := start(t, o)
	s.awaitReady()
	slow, err := net.Dial("tcp", s.OFREPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := slow.Write([]byte("POST /ofrep")); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the connection", func() bool {
		_, metrics := s.get("/metrics")
		return strings.Contains(metrics, "\nflagside_http_connections 1")
	})
	s.cancel()
	waiting.Until(t, "the end of readiness", func() bool {
		status, body := s.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "stopping")
	})
	if status, _ := s.get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	slow.Close()
	s.stop()
}

func TestOtherAddressesAreWarnedAbout(t *testing.T) {
	o := options(nowhere)
	o.OFREPAddr, o.FlagdAddr, o.FlagdSyncAddr = "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0"
	o.FlagdAuthFile = filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(o.FlagdAuthFile, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, o)
	waiting.Until(t, "the warning", func() bool {
		return len(s.logs.Lines(`"level":"warn"`, "other machines can reach", `"server":"ofrep"`)) == 1
	})
	if n := len(s.logs.Lines("other machines can reach", `"server":"management"`)); n != 0 {
		t.Error("a loopback address is warned about")
	}
	if n := len(s.logs.Lines("other machines can reach", `"server":"flagd`)); n != 0 {
		t.Error("ports that ask for a token are warned about")
	}
}

// A data directory that cannot be used is told once, under the code that /status has.
func TestConditionsOfTheDiskAreLogged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(nowhere)
	o.DataDir = file
	s := start(t, o)
	if got := s.conditions(); !slices.Contains(got, string(health.DiskUnwritable)) {
		t.Fatalf("conditions %v", got)
	}
	waiting.Until(t, "the line in the log", func() bool {
		return len(s.logs.Lines(`"level":"warn"`, `"condition":"disk-unwritable"`, file)) == 1
	})
	if n := len(s.logs.Lines(`"condition":"disk-`)); n != 2 { // the other is that nothing can be read from it
		t.Errorf("%d lines about the disk", n)
	}
}

// A part that cannot go on ends the whole sidecar, with its error.
func TestRunEndsWithAnErrorWhenAPortIsLost(t *testing.T) {
	s, err := sidecar.New(options(nowhere))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Both listeners are gone; which of them is noticed first is open.
	if err := s.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run returned %v", err)
	}
}

// askGate asks the gate as a proxy does, and returns the header of its answer.
func (r *running) askGate() http.Header {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + r.GateAddr().String() + "/v1/gate/")
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		r.t.Errorf("the gate answers %s", response.Status)
	}
	return response.Header
}
