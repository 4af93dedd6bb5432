package ofrep_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/waiting"
)

const evaluation = `{"context":{"plan":"gold"}}`

// Whatever cannot be trusted is refused as JSON, and nothing behind it on the connection is taken for a request.
func TestRefusedMessages(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	target := single + "on"
	smuggled := request("POST", single+"targeted", evaluation)
	cases := []struct {
		name, message string
		status        int
	}{
		{"both lengths", request("POST", target, "", "Transfer-Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n" + smuggled, 400},
		{"both lengths with a body", request("POST", target, "", "content-length: 5", "transfer-encoding: chunked") +
			"2\r\n{}\r\n0\r\n\r\n" + smuggled, 400},
		{"two lengths", request("POST", target, "", "Content-Length: 2", "Content-Length: 3") + "{} " + smuggled, 400},
		{"two transfer codings", request("POST", target, "", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400},
		{"unknown transfer coding", request("POST", target, "", "Transfer-Encoding: gzip, chunked"), 400},
		{"negative length", request("POST", target, "", "Content-Length: -1"), 400},
		{"space before the colon", request("POST", target, "", "Content-Length : 2") + "{}", 400},
		{"no host", "POST " + target + " HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400},
		{"broken chunk", request("POST", target, "", "Transfer-Encoding: chunked") + "zz\r\n{}\r\n0\r\n\r\n", 400},
		{"no method", "\x00\x01\x02 nonsense\r\n\r\n", 400},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"a read with a body", request("GET", target, smuggled), 405},
		{"large header", request("POST", target, "{}", "Cookie: "+strings.Repeat("x", 17<<10)), 431},
		{"large target", request("POST", single+strings.Repeat("x", 17<<10), "{}"), 431},
		{"large length", request("POST", target, "", "Content-Length: 1000001") + strings.Repeat(" ", 1000), 413},
		{"large chunks", request("POST", target, "", "Transfer-Encoding: chunked") + "fffff\r\n" + strings.Repeat(" ", 0xfffff), 413},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			connection := s.dial()
			defer connection.Close()
			connection.t = t
			connection.send(c.message)
			got := connection.receive("POST")
			if got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			requireDetails(t, got.body)
			withoutMetadata(t, got.body)
			if got.body["errorCode"] != "GENERAL" {
				t.Errorf("body %v", got.body)
			}
			connection.closed()
		})
	}
}

// A compressed body is refused with what to do, and the connection goes on.
func TestCompressedBodiesAreRefused(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	c := s.dial()
	defer c.Close()
	for _, test := range []struct {
		coding string
		status int
	}{{"gzip", 415}, {"br, gzip", 415}, {"identity", 200}, {"GZIP", 415}} {
		c.send(request("POST", single+"on", "{}", "Content-Encoding: "+test.coding))
		got := c.receive("POST")
		if got.status != test.status {
			t.Errorf("%s: %d, %v", test.coding, got.status, got.body)
		}
		if details, _ := got.body["errorDetails"].(string); test.status == 415 && (!strings.Contains(details, "plain JSON") || got.header.Get("Accept-Encoding") != "identity") {
			t.Errorf("%s: %v, %v", test.coding, got.body, got.header)
		}
	}
}

func TestLimitsAreReachable(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	header := "Cookie: " + strings.Repeat("x", 8<<10)
	body := `{"context":{"plan":"gold","filler":"` + strings.Repeat("x", 900_000) + `"}}`
	if got := s.do("POST", single+"targeted", body, header); got.status != 200 || got.body["variant"] != "gold" {
		t.Errorf("status %d, body %v", got.status, got.body)
	}
}

// A client that still sends its body gets the refusal instead of a reset.
func TestLargeBodyIsAnsweredWhileItArrives(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	connection := s.dial()
	defer connection.Close()
	var sending sync.WaitGroup
	sending.Go(func() {
		const size = 4_000_000
		header := request("POST", single+"on", "", fmt.Sprintf("Content-Length: %d", size))
		_, _ = connection.Write([]byte(header + strings.Repeat(" ", size))) // fails when the server has had enough
	})
	if got := connection.receive("POST"); got.status != 413 {
		t.Errorf("status %d", got.status)
	}
	connection.Close()
	sending.Wait()
}

func TestMultipartBodyIsNotParsed(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	got := s.do("POST", single+"targeted", evaluation, "Content-Type: multipart/form-data; boundary=x")
	if got.status != 200 || got.body["variant"] != "gold" {
		t.Errorf("status %d, body %v", got.status, got.body)
	}
}

// A client that sends all of a body that is too large before it reads still gets the refusal.
func TestRefusalOutlivesLargeBodies(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	connection := s.dial()
	defer connection.Close()
	connection.send(request("POST", single+"on", strings.Repeat(" ", 8<<20)))
	if got := connection.receive("POST"); got.status != 413 {
		t.Errorf("status %d", got.status)
	}
}

func TestExpectContinue(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	connection := s.dial()
	defer connection.Close()
	connection.send(request("POST", single+"targeted", "", "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", len(evaluation))))
	line, err := connection.reader.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := connection.reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	connection.send(evaluation)
	if got := connection.receive("POST"); got.body["variant"] != "gold" {
		t.Errorf("body %v", got.body)
	}
}

func TestConnectionsAreCapped(t *testing.T) {
	s := start(t, load(t, flags, ""), func(o *ofrep.Options) { o.MaxConnections = 2 })
	first, second := s.dial(), s.dial()
	defer first.Close()
	for _, connection := range []*client{first, second} {
		connection.send(request("POST", single+"on", `{}`))
		if got := connection.receive("POST"); got.status != 200 {
			t.Fatalf("status %d", got.status)
		}
	}
	third := s.dial()
	defer third.Close()
	third.send(request("POST", single+"on", `{}`)) // which is not read, and resets nothing
	got := third.receive("POST")
	if got.status != 429 || got.header.Get("Retry-After") == "" || got.body["errorCode"] != "GENERAL" {
		t.Errorf("status %d, header %v, body %v", got.status, got.header, got.body)
	}
	third.closed()
	if n := s.counter("flagside_http_connections_refused_total"); n != 1 {
		t.Errorf("%v refusals counted", n)
	}

	second.Close()
	waiting.Until(t, "the end of a connection", func() bool { return s.counter("flagside_http_connections") == 1 })
	if got := s.do("POST", single+"on", `{}`); got.status != 200 {
		t.Errorf("status %d after a connection ended", got.status)
	}
}

// broken is a source of views that panics with a part of the request, as a mistake in an evaluator might.
type broken struct{}

func (broken) View() *cache.View { panic("secret: gold") }

func TestPanicIsAnsweredAndCounted(t *testing.T) {
	s := start(t, broken{}, nil)
	for range 3 {
		got := s.do("POST", single+"on", evaluation)
		if got.status != 500 || got.body["errorCode"] != "GENERAL" {
			t.Errorf("status %d, body %v", got.status, got.body)
		}
		requireDetails(t, got.body)
	}
	if n := s.counter("flagside_http_panics_total"); n != 3 {
		t.Errorf("%v panics counted", n)
	}
	s.stop()
	logs := s.logs.String()
	if !strings.Contains(logs, "hostile_test.go") || strings.Contains(logs, "gold") {
		t.Errorf("the log must name the place and no value: %s", logs)
	}
}

// What one request leaves in shared memory never shows in the answer to another.
func TestRequestsDoNotMix(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			connection := s.dial()
			defer connection.Close()
			for round := range 100 {
				key := fmt.Sprintf("missing-%d-%s", i, strings.Repeat("k", round%7))
				connection.send(request("POST", single+key, `{}`) + request("POST", single+"targeted", evaluation))
				if got := connection.receive("POST"); got.status != 404 || got.body["key"] != key {
					t.Errorf("status %d, body %v; want key %q", got.status, got.body, key)
					return
				}
				if got := connection.receive("POST"); got.body["variant"] != "gold" {
					t.Errorf("body %v", got.body)
					return
				}
			}
		})
	}
	clients.Wait()
}

func TestNothingOfARequestIsLogged(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	const canary = "canary-4711"
	s.do("POST", single+canary, `{"context":{"email":"`+canary+`"}}`)
	s.do("POST", single+canary, `{"context":"`+canary)
	connection := s.dial()
	connection.send(canary + " " + canary + "\r\nX: " + canary + "\r\n\r\n")
	connection.receive("POST")
	connection.Close()
	s.stop()
	if strings.Contains(s.logs.String(), canary) {
		t.Errorf("logged: %s", s.logs)
	}
}
