package gate_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/waiting"
)

// However odd a request is, it is answered with 200, once, with our values for the fields of flags; and a proxy is told to remove what a visitor made up.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "new-checkout", "/admin": "where"}, Headers: map[string]string{"X-Plan": "plan"}})
	const end = "\r\n\r\n"
	for name, test := range map[string]struct{ data, flags string }{
		"HTTP/1.0":                     {"GET /v1/gate/ HTTP/1.0" + end, "new-checkout=off"},
		"HTTP/1.0 that stays":          {"GET /v1/gate/ HTTP/1.0\r\nConnection: keep-alive" + end, "new-checkout=off"},
		"no Host":                      {"GET /v1/gate/ HTTP/1.1" + end, ""},
		"two Hosts":                    {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nHost: b" + end, ""},
		"a method of its own":          {"ODD-METHOD /v1/gate/ HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"a long method":                {strings.Repeat("M", 5000) + " /v1/gate/ HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"CONNECT":                      {"CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443" + end, "new-checkout=off"},
		"OPTIONS *":                    {"OPTIONS * HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"TRACE":                        {"TRACE /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Flag-Evil: 1" + end, "new-checkout=off"},
		"a body is to be asked for":    {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0" + end, "new-checkout=off"},
		"another is expected":          {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nExpect: the-impossible\r\nContent-Length: 0" + end, "new-checkout=off"},
		"an upgrade":                   {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket" + end, "new-checkout=off"},
		"HTTP/2 without TLS":           {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk" + end, "new-checkout=off"},
		"a space before the colon":     {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Flag-New-Checkout : on" + end, ""},
		"a folded line":                {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Plan: gold\r\n X-Flag-Evil: 1" + end, "new-checkout=off"},
		"lines without CR":             {"GET /v1/gate/ HTTP/1.1\nHost: a\nX-Plan: gold\n\n", ""},
		"the same field twice":         {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Plan: gold\r\nX-Plan: silver" + end, "new-checkout=on"},
		"a body of unknown length":     {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Flag-Evil\r\n\r\n1\r\nx\r\n0\r\nX-Flag-Evil: 1" + end, "new-checkout=off"},
		"a body that is too long":      {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999" + end, ""},
		"a length that is none":        {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nContent-Length: -1" + end, ""},
		"two lengths":                  {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 1" + end, ""},
		"smuggled":                     {"POST /v1/gate/ HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0" + end, "new-checkout=off"},
		"dots beyond the root":         {"GET /v1/gate/../../admin HTTP/1.1\r\nHost: a" + end, "where=there"},
		"dots in percent":              {"GET /v1/gate/x/%2e%2e/admin HTTP/1.1\r\nHost: a" + end, "where=there"},
		"percent in percent":           {"GET /v1/gate/%2561dmin HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"half a percent":               {"GET /v1/gate/admin%2 HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"a nul":                        {"GET /v1/gate/admin%00 HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"slashes":                      {"GET /v1/gate//admin//x HTTP/1.1\r\nHost: a" + end, "where=there"},
		"a backslash":                  {"GET /v1/gate/x\\..\\admin HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"capitals":                     {"GET /v1/gate/ADMIN HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"a fragment":                   {"GET /v1/gate/#/admin HTTP/1.1\r\nHost: a" + end, "new-checkout=off"},
		"a path in a field":            {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-Uri: /admin" + end, "new-checkout=off"},
		"a URL of another host":        {"GET http://evil.example/admin HTTP/1.1\r\nHost: a" + end, "where=there"},
		"a large field":                {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Plan: " + strings.Repeat("x", 200_000) + end, ""},
		"a thousand fields":            {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Flag-Evil: 1\r\n", 1000) + "\r\n", "new-checkout=off"},
		"a cookie of separators":       {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nCookie: ;;=;;a;=b; ;" + end, "new-checkout=off"},
		"bytes beyond ASCII in fields": {"GET /v1/gate/ HTTP/1.1\r\nHost: a\r\nX-Plan: \xff\xfe\xc0\x80" + end, "new-checkout=off"},
	} {
		answers := s.all(test.data)
		response, rest, _ := strings.Cut(answers, end)
		lower := strings.ToLower(response)
		if !strings.HasPrefix(response, "HTTP/1.1 200 OK\r\n") && !strings.HasPrefix(response, "HTTP/1.0 200 OK\r\n") || rest != "" {
			t.Errorf("%s: %.300q", name, answers)
			continue
		}
		if got := value(lower, "x-flags"); got != test.flags {
			t.Errorf("%s: flags %q, want %q; %.300q", name, got, test.flags, answers)
		}
		for line := range strings.Lines(lower) {
			if field, _, _ := strings.Cut(line, ":"); strings.Contains(field, "evil") {
				t.Errorf("%s: %q", name, line)
			}
		}
		if test.flags == "" && !strings.Contains(lower, strings.ToLower(removed)+": x-flag-new-checkout, x-flag-where, x-flags\r\n") {
			t.Errorf("%s: a visitor may set flags: %q", name, response)
		}
	}
}

// all sends bytes, and returns all that is answered to them.
func (s *system) all(data string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(waiting.Patience)); err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.WriteString(c, data) // it may be refused before it ends
	_ = c.(*net.TCPConn).CloseWrite()
	answers, err := io.ReadAll(c)
	if err != nil && len(answers) == 0 {
		s.t.Fatalf("%.100q: %v", data, err)
	}
	return string(answers)
}

// value returns the value of a field in a header in lower case.
func value(header, name string) string {
	_, rest, _ := strings.Cut(header, "\r\n"+name+": ")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
