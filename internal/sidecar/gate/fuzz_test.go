package gate_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/waiting"
)

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// What a field of an answer may be.
var (
	allowedFields = map[string]bool{
		"Cache-Control": true, "Date": true, "Content-Length": true, "Connection": true, "Set-Cookie": true, "X-Flags": true, "X-Flag-New-Checkout": true, "X-Flag-Split": true, removed: true,
	}
	removedNames = regexp.MustCompile(`^x[-_]flags?[a-z0-9-_]*(, x[-_]flags?[a-z0-9-_]*)*$`)
)

// Whatever bytes come: the answer is one response, with status 200, without a body, and without a field or a value that a visitor chose.
func FuzzRequests(f *testing.F) {
	for _, data := range []string{
		"GET /v1/gate/shop?x=1 HTTP/1.1\r\nHost: a\r\nX-Plan: gold\r\nCookie: flagside-visitor=x\r\n\r\n",
		"POST /v1/gate HTTP/1.1\r\nHost: a\r\nX-Forwarded-Uri: /shop\r\nContent-Length: 3\r\n\r\nabc",
		"GET /v1/gate/%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\r\n\r\n",
		"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Flag-\x00: 1\r\nX-Flag-Evil: 1\r\n\r\n", "HEAD http://[::1 HTTP/1.1\r\n\r\n", "GET /v1/gate?" + strings.Repeat("a=b&", 9000) + " HTTP/1.1\r\n\r\n",
		"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n", "GET /v1/gate//x HTTP/1.1\r\nHost: a\r\nx_flag_evil : 1\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(data))
	}
	dir := f.TempDir()
	s := start(f, load(f, flags), gate.Options{
		Flags: map[string]string{"/": "new-checkout,split"}, Headers: map[string]string{"X-Plan": "plan"}, Cookies: map[string]string{"u": gate.TargetingKey},
		Queries: map[string]string{"q": "q"}, VisitorKeyFile: fuzzKey(f, dir),
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(waiting.Patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(data) // it may be refused before it ends
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Skip(err)
		}
		for reader := bufio.NewReader(c); ; {
			method := http.MethodGet
			if len(data) > 4 && string(data[:5]) == "HEAD " {
				method = http.MethodHead
			}
			if _, err := reader.Peek(1); err != nil {
				return
			}
			response, err := http.ReadResponse(reader, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%.200q: %v", data, err)
			}
			verify(t, data, response)
			response.Body.Close()
			if method == http.MethodHead {
				return // what follows may answer requests with other methods
			}
		}
	})
}

func verify(t *testing.T, data []byte, response *http.Response) {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil || len(body) > 0 || response.StatusCode != http.StatusOK {
		t.Errorf("%.200q: status %d, body %q, %v", data, response.StatusCode, body, err)
	}
	for name, values := range response.Header {
		if !allowedFields[name] || len(values) != 1 {
			t.Errorf("%.200q: %s: %q", data, name, values)
		}
		if name == removed && !removedNames.MatchString(values[0]) {
			t.Errorf("%.200q: %s: %q", data, name, values)
		}
	}
	for name, want := range map[string]string{"X-Flag-New-Checkout": "on|off", "X-Flag-Split": "a|b"} {
		if got := response.Header.Get(name); got != "" && !regexp.MustCompile("^("+want+")$").MatchString(got) {
			t.Errorf("%.200q: %s: %q", data, name, got)
		}
	}
}

func fuzzKey(f *testing.F, dir string) string {
	f.Helper()
	path := dir + "/keys"
	if err := os.WriteFile(path, []byte(oneKey), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}
