package ofrep_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/sidecar/ofrep"
)

// pipes is a listener of connections without a network, which hold nothing that was not read: time is virtual beside them.
type pipes struct {
	arriving chan net.Conn
	closed   chan struct{}
	close    sync.Once
}

func newPipes() *pipes { return &pipes{arriving: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.arriving:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial opens a connection.
func (p *pipes) dial(t testing.TB) *client {
	t.Helper()
	mine, its := net.Pipe()
	p.arriving <- its
	t.Cleanup(func() { mine.Close() })
	return &client{Conn: mine, t: t, reader: bufio.NewReader(mine)}
}

// How long a sidecar waits for a client, whatever that does.
func TestTimesForClients(t *testing.T) {
	answered := request(http.MethodPost, single+"on", "{}")
	for name, c := range map[string]struct {
		asks   []string // each is answered
		begins string   // what comes then, and is not completed
		status int      // of the answer to that, 0 if there is none
		open   time.Duration
	}{
		"a request line that does not end": {begins: "POST " + single, status: 408, open: 5 * time.Second},
		"a body that does not end":         {begins: request(http.MethodPost, single+"on", "", "Content-Length: 10") + "{", status: 408, open: 5 * time.Second},
		"a second request that does not end": {
			asks: []string{answered}, begins: "POST ", status: 408, open: 5 * time.Second,
		},
		// Without an answer, because some client would take it for that of its next request.
		"nothing at all":     {open: 5 * time.Second},
		"nothing more":       {asks: []string{answered}, open: 2 * time.Minute},
		"nothing after many": {asks: []string{answered, answered, answered}, open: 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				startOn(t, p, load(t, flags, ""), nil)
				connection := p.dial(t)
				for _, message := range c.asks {
					connection.send(message)
					if got := connection.receive(http.MethodPost); got.status != http.StatusOK {
						t.Fatalf("status %d", got.status)
					}
				}
				begun := time.Now()
				connection.send(c.begins)
				if c.status != 0 {
					if got := connection.receive(http.MethodPost); got.status != c.status {
						t.Errorf("status %d", got.status)
					}
				}
				if n, err := connection.reader.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
					t.Errorf("%d bytes and %v at the end", n, err)
				}
				if took := time.Since(begun); took < c.open || took > c.open+2*time.Second { // it is looked at once a second
					t.Errorf("the connection was open for %v, want %v", took, c.open)
				}
			})
		})
	}
}

// A request that does not end is cut off also where the sidecar says something in the middle of it: that it may go on, or the answer to the one before.
func TestTimesForRequestsAroundAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		begins string
		first  int // what is answered before the rest is waited for
	}{
		"a body that was asked for":    {request(http.MethodPost, single+"on", "", "Content-Length: 10", "Expect: 100-continue"), http.StatusContinue},
		"a request behind another one": {request(http.MethodPost, single+"on", "{}") + "POST ", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				startOn(t, p, load(t, flags, ""), nil)
				connection := p.dial(t)
				begun := time.Now()
				connection.send(c.begins)
				first, err := http.ReadResponse(connection.reader, nil)
				if err != nil || first.StatusCode != c.first {
					t.Fatalf("%+v, %v", first, err)
				}
				defer first.Body.Close()
				if _, err := io.Copy(io.Discard, first.Body); err != nil {
					t.Fatal(err)
				}
				if err := connection.SetReadDeadline(begun.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if got := connection.receive(http.MethodPost); got.status != http.StatusRequestTimeout {
					t.Errorf("status %d", got.status)
				}
				if took := time.Since(begun); took < 5*time.Second || took > 7*time.Second {
					t.Errorf("the connection was open for %v", took)
				}
			})
		})
	}
}

// answeringReads is a connection that has to write before it reads on, as TLS does when its client updates keys.
type answeringReads struct{ net.Conn }

func (c answeringReads) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil {
		_, err = c.Conn.Write([]byte("keys"))
	}
	return n, err
}

// A client that does not take what is written while its request is read is cut off, too.
func TestTimesForReadsThatWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := startOn(t, p, load(t, flags, ""), nil)
		mine, its := net.Pipe()
		defer mine.Close()
		p.arriving <- answeringReads{its}
		begun := time.Now()
		if _, err := io.WriteString(mine, "POST "); err != nil {
			t.Fatal(err)
		}
		for s.counter("flagside_http_connections") > 0 && time.Since(begun) < time.Hour {
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("the connection was open for %v", took)
		}
	})
}

// A refusal of what cannot be read arrives, however long ago the last answer was.
func TestRefusalsAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		startOn(t, p, load(t, flags, ""), nil)
		connection := p.dial(t)
		connection.send(request(http.MethodPost, single+"on", "{}"))
		connection.receive(http.MethodPost)
		time.Sleep(time.Minute)
		connection.send(request(http.MethodPost, single+"on", "", "Content-Length: 2", "Content-Length: 3"))
		if got := connection.receive(http.MethodPost); got.status != http.StatusBadRequest {
			t.Errorf("status %d", got.status)
		}
	})
}

// Clients that cannot be served and do not take the refusal hold up no one.
func TestRefusalsThatAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := startOn(t, p, load(t, flags, ""), func(o *ofrep.Options) { o.MaxConnections = 1 })
		served := p.dial(t)
		served.send(request(http.MethodPost, single+"on", "{}"))
		served.receive(http.MethodPost)
		begun := time.Now()
		for range 1000 {
			p.dial(t)
		}
		turnedAway := p.dial(t)
		if _, err := turnedAway.reader.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("one more than are refused with an answer: %v", err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("1,000 connections take %v", took)
		}
		time.Sleep(2 * time.Second)
		if got := p.dial(t).receive(http.MethodPost); got.status != http.StatusTooManyRequests {
			t.Errorf("status %d", got.status)
		}
		if n := s.counter("flagside_http_connections_refused_total"); n != 1002 {
			t.Errorf("%v refusals counted", n)
		}
		served.Close()
		synctest.Wait()
		again := p.dial(t)
		again.send(request(http.MethodPost, single+"on", "{}"))
		if got := again.receive(http.MethodPost); got.status != http.StatusOK {
			t.Errorf("status %d", got.status)
		}
	})
}

// A client that does not read its answer is given up.
func TestAnswersThatAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := startOn(t, p, load(t, flags, ""), nil)
		p.dial(t).send(request(http.MethodPost, bulk, "{}"))
		time.Sleep(4 * time.Second)
		if n := s.counter("flagside_http_connections"); n != 1 {
			t.Errorf("%v connections after 4 s", n)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := s.counter("flagside_http_connections"); n != 0 {
			t.Errorf("%v connections after 7 s", n)
		}
	})
}
