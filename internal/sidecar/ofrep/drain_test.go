package ofrep_test

import (
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/waiting"
)

// gate is a source of views that lets a request wait.
type gate struct {
	*cache.Store

	entered, leave chan struct{}
}

func newGate(t *testing.T) *gate {
	t.Helper()
	return &gate{Store: load(t, flags, ""), entered: make(chan struct{}), leave: make(chan struct{})}
}

func (g *gate) View() *cache.View {
	g.entered <- struct{}{}
	<-g.leave
	return g.Store.View()
}

// A request that is being answered gets its answer; idle connections end, and new ones are refused.
func TestDrain(t *testing.T) {
	views := newGate(t)
	s := start(t, views, func(o *ofrep.Options) { o.Grace = time.Hour }) // so that nothing ends because of it
	silent := s.dial()
	defer silent.Close()
	idle := s.dial()
	defer idle.Close()
	idle.send(request("GET", bulk, "", "Connection: keep-alive"))
	if got := idle.receive("GET"); got.status != 405 {
		t.Fatalf("status %d", got.status)
	}
	active := s.dial()
	defer active.Close()
	active.send(request("POST", single+"on", `{}`))
	<-views.entered

	s.cancel()
	silent.closed()
	if c, err := net.Dial("tcp", s.addr); err == nil {
		c.Close()
		t.Error("a new connection is accepted")
	}
	select {
	case <-s.ended:
		t.Fatal("Run returned while a request was being answered")
	default:
	}
	close(views.leave)
	if got := active.receive("POST"); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
	active.closed()
	s.stop()
}

// A client that asks one request after the other over a connection that it keeps loses none: it gets an answer to each, and with the
// last the announcement that the connection ends.
func TestDrainAnswersBusyClients(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	var clients sync.WaitGroup
	var begun atomic.Int64
	for range 16 {
		c := s.dial()
		defer c.Close()
		clients.Go(func() {
			for round := range math.MaxInt {
				if _, err := io.WriteString(c, request("POST", bulk, `{}`)); err != nil {
					t.Error(err)
					return
				}
				response, err := http.ReadResponse(c.reader, nil)
				if err != nil {
					t.Errorf("a request was not answered: %v", err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				if err := errors.Join(err, response.Body.Close()); err != nil {
					t.Error(err)
				}
				if round == 1 {
					begun.Add(1)
				}
				if response.Close {
					return
				}
			}
		})
	}
	waiting.Until(t, "what is under way to be counted", func() bool { return begun.Load() == 16 })
	s.stop()
	clients.Wait()
}

// A kept-alive connection that is idle does not hold up the end.
func TestDrainClosesIdleConnections(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	idle := s.dial()
	defer idle.Close()
	for range 2 {
		idle.send(request("POST", single+"on", `{}`))
		if got := idle.receive("POST"); got.status != 200 {
			t.Fatalf("status %d", got.status)
		}
	}
	begun := time.Now()
	s.stop()
	idle.closed()
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("stopping took %v", took)
	}
}

// A request that does not end is cut off when the grace is over.
func TestDrainIsBounded(t *testing.T) {
	s := start(t, load(t, flags, ""), func(o *ofrep.Options) { o.Grace = 50 * time.Millisecond })
	slow := s.dial()
	defer slow.Close()
	slow.send("POST " + single)
	waiting.Until(t, "what is under way to be counted", func() bool { return s.counter("flagside_http_connections") == 1 })
	begun := time.Now()
	s.stop()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	slow.closed()
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6 loopback")
	}
	s := startOn(t, l, load(t, flags, ""), nil)
	if got := s.do("POST", single+"on", `{}`); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
}

// A listener that fails ends Run with an error; one that cannot accept for a while does not.
func TestListenerErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	flaky := &flakyListener{Listener: l, failures: 3}
	s := startOn(t, flaky, load(t, flags, ""), nil)
	if got := s.do("POST", single+"on", `{}`); got.status != 200 {
		t.Errorf("status %d after failures to accept", got.status)
	}
	l.Close()
	select {
	case err := <-s.ended:
		if err == nil {
			t.Error("Run returned nil although its listener was closed")
		}
		s.ended <- nil
	case <-time.After(patience):
		t.Fatal("Run goes on without a listener")
	}
}

type flakyListener struct {
	net.Listener

	failures int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, io.ErrNoProgress
	}
	return l.Listener.Accept()
}
