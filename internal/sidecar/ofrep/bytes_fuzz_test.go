package ofrep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/changes"
)

// script is a connection on which bytes arrive and nothing else ever.
type script struct {
	arriving io.Reader
	answers  bytes.Buffer
	closed   bool
}

func (s *script) Read(p []byte) (int, error)     { return s.arriving.Read(p) }
func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

func (s *script) Write(p []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	return s.answers.Write(p)
}

func (s *script) Close() error {
	s.closed = true
	return nil
}

// Whatever arrives on a connection, what goes back is HTTP: a sequence of answers that are JSON objects, none of which is the sidecar's
// fault.
func FuzzConnection(f *testing.F) {
	post := "POST " + basePath + "/targeted HTTP/1.1\r\nHost: localhost\r\n"
	for _, seed := range []string{
		post + "Content-Length: 2\r\n\r\n{}",
		post + "Content-Length: 2\r\n\r\n{}" + post + "Content-Length: 27\r\n\r\n" + `{"context":{"plan":"gold"}}`,
		post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
		post + "Connection: close\r\nFlagd-Selector: flagSetId=\r\nIf-None-Match: \"x\"\r\n\r\n",
		"POST " + basePath + " HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: http://x\r\nAccess-Control-Request-Method: POST\r\n\r\n",
		"GET http://x/ofrep/v1/sse?channels=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /ofrep/v1/sse?channels= HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1-1\r\n\r\n" + post,
		"POST /ofrep/v1/sse HTTP/1.1\r\nHost: localhost\r\nOrigin: https://shop.example\r\n\r\n",
		"POST " + basePath + "?flagConfigEtag=%3 HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: W/\"a-b-1-2\",b\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		post + "Cookie: " + strings.Repeat("x", 17<<10) + "\r\n\r\n",
		"\x16\x03\x01\x00\xff\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	s := newHandler(f, func(o *Options, store *cache.Store) {
		o.Feed = changes.New(store, func(*eval.Flag) bool { return false })
		o.Origins = []string{"https://shop.example"}
	})
	f.Fuzz(func(t *testing.T, arriving []byte) {
		wire := &script{arriving: bytes.NewReader(arriving)}
		c := &connection{Conn: wire, server: s}
		c.place, _ = s.places.Take(c.holder, func() {})
		_ = s.http.ServeConn(c) // its error concerns the client
		answers := bufio.NewReader(&wire.answers)
		for {
			if _, err := answers.Peek(1); err != nil {
				return
			}
			checkAnswer(t, answers)
			if t.Failed() {
				t.Fatalf("after %q", arriving)
			}
		}
	})
}

// checkAnswer reads one answer. The method of its request is not known, so a body that HEAD leaves out looks cut off.
func checkAnswer(t *testing.T, answers *bufio.Reader) {
	t.Helper()
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Errorf("no HTTP: %v", err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode >= 500 && response.StatusCode != http.StatusHTTPVersionNotSupported {
		t.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	switch {
	case response.StatusCode == http.StatusContinue, response.StatusCode == http.StatusNoContent,
		response.StatusCode == http.StatusNotModified, err != nil && len(body) == 0:
		return
	case response.Header.Get("Content-Type") == "text/event-stream":
		if text := string(body); !strings.HasSuffix(text, ": open\n\n") || len(text) > 10 {
			t.Errorf("%q on a stream of no events", text)
		}
	case err != nil:
		t.Errorf("the body ends early: %v", err)
	case !json.Valid(body):
		t.Errorf("%q is no JSON", body)
	}
}
