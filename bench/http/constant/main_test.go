//go:build linux

package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/bench/http/load"
)

// Whatever a sidecar answers, the constant server sends the same bytes.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	body := `{"key":"static","value":true}`
	long := `{"flags":[` + strings.Repeat(body+",", 5000) + body + `]}`
	for name, want := range map[string]string{
		"one flag":    fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nFlagside-Revision: ea8603e4-37\r\n\r\n%s", len(body), body),
		"all flags":   fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nFlagside-Revision: ea8603e4-37\r\nEtag: \"92f4\"\r\n\r\n%s", len(long), long),
		"not changed": "HTTP/1.1 304 Not Modified\r\nFlagside-Revision: ea8603e4-37\r\nEtag: \"92f4\"\r\n\r\n",
		"not found":   fmt.Sprintf("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
	} {
		answer, err := parse([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(answer)
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Shutdown() })
		got, err := load.Ask(load.Target{Network: "tcp", Address: l.Addr().String()}, load.HTTP(fasthttp.MethodPost, "/any", "{}"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Wire) != want {
			t.Errorf("%s:\n%.300q\nwant\n%.300q", name, got.Wire, want)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "hello", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "HTTP/1.1 abc OK\r\n\r\n"} {
		if a, err := parse([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, a)
		}
	}
}
