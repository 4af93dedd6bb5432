package ofrep_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
)

// timedStreams is a server of event streams in virtual time.
type timedStreams struct {
	*system
	t       *testing.T
	history *historytest.History
	pipes   *pipes
}

func startTimed(t *testing.T, stale func(*eval.Flag) bool, documents ...string) *timedStreams {
	t.Helper()
	s := &timedStreams{t: t, history: historytest.New(t), pipes: newPipes()}
	s.history.Commit(historytest.Flag("flag", 1, documents...))
	feed := startFeed(t, s.history.Store, stale)
	s.system = startOn(t, s.pipes, s.history.Store, func(o *ofrep.Options) { o.Feed, o.Grace = feed, time.Hour })
	return s
}

// open opens a stream and reads up to its first line. What comes then is read with the reader only.
func (s *timedStreams) open(header ...string) *bufio.Reader {
	s.t.Helper()
	c := s.pipes.dial(s.t)
	c.send(request(http.MethodGet, "/ofrep/v1/sse", "", header...))
	for line := ""; line != ": open\n"; {
		var err error
		if line, err = c.reader.ReadString('\n'); err != nil {
			s.t.Fatal(err)
		}
	}
	return c.reader
}

// line returns the next line that begins with the prefix, and how long it took to come.
func (s *timedStreams) line(reader *bufio.Reader, prefix string) (line string, took time.Duration) {
	s.t.Helper()
	began := time.Now()
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line), time.Since(began)
		}
	}
}

// id is the line that names the present state.
func (s *timedStreams) id() string {
	return "id: " + s.history.Store.View().Position().Token().String()
}

func TestSilentStreamsAreKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startTimed(t, never)
		reader := s.open()
		for range 3 {
			if _, took := s.line(reader, ": keep-alive"); took != 30*time.Second {
				t.Errorf("a sign of life after %v", took)
			}
		}
		time.Sleep(20 * time.Second)
		s.history.Commit(historytest.Flag("flag", 2))
		if _, took := s.line(reader, "data: "); took != 0 {
			t.Errorf("an event after %v", took)
		}
		if _, took := s.line(reader, ": keep-alive"); took != 30*time.Second {
			t.Errorf("a sign of life %v after an event", took)
		}
	})
}

// A client that does not read holds up no one, is told once of all that it missed when it reads again, and is given up when it does not.
func TestSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startTimed(t, never)
		quick := s.open()
		slow := s.open()
		dead := s.open()
		var first string
		for i := range 100 {
			s.history.Commit(historytest.Flag("flag", i+2))
			if line, took := s.line(quick, "id: "); line != s.id() || took != 0 {
				t.Fatalf("%s after %v, want %s", line, took, s.id())
			}
			s.line(quick, "data: ")
			synctest.Wait()
			if i == 0 {
				first = s.id()
			}
		}
		time.Sleep(4 * time.Second)
		if line, _ := s.line(slow, "id: "); line != first {
			t.Errorf("the event that waited is %s, want %s", line, first)
		}
		if line, took := s.line(slow, "id: "); line != s.id() || took != 0 {
			t.Errorf("the next event is %s after %v, want %s", line, took, s.id())
		}
		if _, took := s.line(slow, ": keep-alive"); took != 30*time.Second {
			t.Errorf("something followed after %v", took)
		}
		if left, err := io.ReadAll(dead); strings.TrimSpace(string(left)) != "" || err != nil {
			t.Errorf("a client that read nothing for half a minute is still served: %q, %v", left, err)
		}
		if n := s.counter("flagside_http_connections"); n != 2 {
			t.Errorf("%v connections", n)
		}
	})
}

// An answer that begins or ceases to be stale is another one, although no flag changed.
func TestStreamsTellOfStaleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stale atomic.Bool
		s := startTimed(t, func(*eval.Flag) bool { return stale.Load() }, `"maxStaleness":"5s"`)
		reader := s.open()
		for _, next := range []bool{true, false} {
			time.Sleep(10 * time.Second)
			stale.Store(next)
			line, took := s.line(reader, "id: ")
			if line != s.id() || took > time.Second {
				t.Errorf("stale %v: %s after %v", next, line, took)
			}
		}
	})
}

// A server that stops ends streams at once and cleanly, also those of clients that do not read.
func TestStreamsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startTimed(t, never)
		reader := s.open("Last-Event-ID: other")
		stuck := s.open()
		s.history.Commit(historytest.Flag("flag", 2))
		s.line(reader, "data: ")
		synctest.Wait()
		began := time.Now()
		s.stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("the end took %v", took)
		}
		for _, r := range []*bufio.Reader{reader, stuck} {
			if left, err := io.ReadAll(r); strings.TrimSpace(string(left)) != "" || err != nil {
				t.Errorf("%q and %v at the end", left, err)
			}
		}
	})
}
