//go:build linux

package load_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/flagside/flagside/bench/http/load"
)

// served is a server in this process.
func served(t *testing.T, network string, handler http.HandlerFunc) load.Target {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return load.Target{Network: network, Address: l.Addr().String()}
}

func ask(t *testing.T, p load.Plan, d time.Duration, rate float64) (load.Result, error) {
	t.Helper()
	s, err := load.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	return s.Run(t.Context(), d, rate)
}

func get() []load.Request { return []load.Request{load.HTTP(http.MethodGet, "/", "")} }

// A server stands still for half a second. Every request that was to be sent meanwhile must have waited, although the server saw no more of them than
// there are connections: a generator that counts from the sending would report that few.
func TestAStallIsSeenByAllThatWereToBeSent(t *testing.T) {
	t.Parallel()
	const (
		stall       = 500 * time.Millisecond
		rate        = 1000
		connections = 4
		noticeable  = 50 * time.Millisecond
	)
	var asked, during atomic.Int64
	var stalling atomic.Bool
	var road sync.RWMutex
	target := served(t, "tcp", func(http.ResponseWriter, *http.Request) {
		if asked.Add(1) == 200 {
			road.Lock()
			stalling.Store(true)
			time.Sleep(stall)
			stalling.Store(false)
			road.Unlock()
			during.Add(1)
			return
		}
		if stalling.Load() {
			during.Add(1)
		}
		road.RLock() // until the server moves on
		defer road.RUnlock()
	})
	r, err := ask(t, load.Plan{Target: target, Requests: get(), Status: http.StatusOK, Connections: connections}, 1500*time.Millisecond, rate)
	if err != nil {
		t.Fatal(err)
	}
	if r.Answers != 1500 {
		t.Errorf("%d answers, want 1500", r.Answers)
	}
	late := 0
	for _, bar := range r.Latency.Distribution() {
		if bar.From >= noticeable.Nanoseconds() {
			late += int(bar.Count)
		}
	}
	want := int((stall-noticeable).Seconds()*rate) - connections // to be sent so early in the stall; one more for the histogram's steps
	if late < want {
		t.Errorf("%d answers took %s or longer, want %d at least", late, noticeable, want)
	}
	if n := during.Load(); n > connections {
		t.Errorf("the server had %d requests while it stood still, and there are %d connections", n, connections)
	}
	if worst := time.Duration(r.Latency.Max()); worst < stall-20*time.Millisecond {
		t.Errorf("the longest took %s, and the stall %s", worst, stall)
	}
	t.Logf("%d late, %d under way; %s", late, during.Load(), time.Duration(r.Latency.Max()))
}

func TestClosedLoop(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		var asked atomic.Int64
		target := served(t, network, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = io.WriteString(w, "hello")
		})
		r, err := ask(t, load.Plan{Target: target, Requests: get(), Status: http.StatusOK}, 200*time.Millisecond, 0)
		if err != nil {
			t.Fatal(err)
		}
		if int64(r.Answers) != asked.Load() || r.Answers < 16 || r.Latency.TotalCount() != asked.Load() {
			t.Errorf("%s: %d answers, %d times, and the server was asked %d times", network, r.Answers, r.Latency.TotalCount(), asked.Load())
		}
	}
}

// Requests are sent in turn, and each has another number.
func TestRequestsDiffer(t *testing.T) {
	t.Parallel()
	var bodies sync.Map
	target := served(t, "tcp", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, twice := bodies.LoadOrStore(r.URL.Path+string(body), true); twice {
			t.Errorf("%s %s came twice", r.URL.Path, body)
		}
	})
	requests := []load.Request{
		load.HTTP(http.MethodPost, "/a", `{"id":"`+load.Number+`"}`),
		load.HTTP(http.MethodPost, "/b", `{"id":"`+load.Number+`"}`),
	}
	r, err := ask(t, load.Plan{Target: target, Requests: requests, Status: http.StatusOK}, time.Second, 100)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]int{}
	bodies.Range(func(key, _ any) bool {
		paths[key.(string)[:2]]++
		return true
	})
	if r.Answers != 100 || paths["/a"] != 50 || paths["/b"] != 50 {
		t.Errorf("%d answers, of paths %v", r.Answers, paths)
	}
}

// Long answers, and those whose length the server does not know at first.
func TestLongAnswers(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789abcdef\r\n0\r\n\r\n", 100_000)
	for _, flushed := range []bool{false, true} {
		target := served(t, "tcp", func(w http.ResponseWriter, _ *http.Request) {
			if !flushed {
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			}
			for part := text; part != ""; part = part[min(len(part), 12_345):] {
				_, _ = io.WriteString(w, part[:min(len(part), 12_345)])
			}
		})
		r, err := ask(t, load.Plan{Target: target, Requests: get(), Status: http.StatusOK, Connections: 2}, time.Second, 20)
		if err != nil {
			t.Fatal(err)
		}
		if r.Answers != 20 {
			t.Errorf("flushed %v: %d answers, want 20", flushed, r.Answers)
		}
	}
}

// What is no answer fails the run, and says why.
func TestFailures(t *testing.T) {
	t.Parallel()
	for want, handler := range map[string]http.HandlerFunc{
		"want status 200, got \"HTTP/1.1 503": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) },
		"closed the connection":               func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"want status 200, got \"HTTP/1.1 304": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
	} {
		var asked atomic.Int64
		target := served(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 50 { // one bad answer among many
				handler(w, r)
			}
		})
		_, err := ask(t, load.Plan{Target: target, Requests: get(), Status: http.StatusOK}, time.Minute, 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A server that answers nothing any more fails the run.
func TestASilentServerFails(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for ten seconds")
	}
	t.Parallel()
	ending := make(chan struct{})
	target := served(t, "tcp", func(http.ResponseWriter, *http.Request) { <-ending })
	defer close(ending)
	_, err := ask(t, load.Plan{Target: target, Requests: get(), Status: http.StatusOK}, 100*time.Millisecond, 100)
	if err == nil || !strings.Contains(err.Error(), "have no answer") {
		t.Errorf("got %v", err)
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(l) }()
	defer server.Stop()
	target := load.Target{Network: "tcp", Address: l.Addr().String()}

	r, err := ask(t, load.Plan{Target: target, Requests: []load.Request{load.GRPC("/grpc.health.v1.Health/Check", nil)}}, 300*time.Millisecond, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Answers < 32 {
		t.Errorf("%d answers: no connection was used twice", r.Answers)
	}
	unknown := []byte("\x0a\x07unknown") // a service that has no health
	_, err = ask(t, load.Plan{Target: target, Requests: []load.Request{load.GRPC("/grpc.health.v1.Health/Check", unknown)}}, time.Minute, 0)
	if err == nil || !strings.Contains(err.Error(), "grpc-status 5") {
		t.Errorf("got %v, want status 5", err)
	}
}
