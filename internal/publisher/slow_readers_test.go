package publisher_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
)

// Clients that ask the API for much and read nothing do not fill the memory of a publisher: beyond what may be under way, large answers are refused
// with the time to wait, small ones and changes go on, and large ones too when the others are gone.
func TestSlowReadersOfTheAPIAreBounded(t *testing.T) {
	skipShort(t)
	t.Parallel()
	p := start(t, publisher.Options{DataDir: t.TempDir(), InFlight: 16 << 20})
	p.create("prod")
	long := fmt.Sprintf(`,"description":%q`, strings.Repeat("x", 200<<10))
	for i := range 60 { // 12 MB, which no buffers of connections have room for
		p.put("prod", fmt.Sprintf("flag-%02d", i), flagBody("on", long), absent())
	}
	const list = "/api/v1/environments/prod/flags?limit=1000"
	if a := p.ask(http.MethodGet, list, ""); a.status != http.StatusOK || len(a.body) < 10<<20 {
		t.Fatalf("a list has status %d and %d bytes", a.status, len(a.body))
	}
	var greedy []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", p.AdminAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", list, adminSecret); err != nil {
			t.Fatal(err)
		}
		greedy = append(greedy, c)
	}
	p.await("a large answer that is refused", func() bool {
		a := p.ask(http.MethodGet, list, "")
		if a.status != http.StatusOK &&
			(a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.problem.Detail, "in use")) {
			t.Errorf("a large answer is refused with %d %v %s", a.status, a.header, a.body)
		}
		return a.status != http.StatusOK
	})
	for _, path := range []string{"/readyz", "/metrics", "/api/v1/environments"} {
		if a := p.ask(http.MethodGet, path, ""); a.status != http.StatusOK {
			t.Errorf("%s: status %d while large answers are refused", path, a.status)
		}
	}
	p.put("prod", "small", flagBody("on", ""), absent())
	if _, _, err := p.client.Document(t.Context(), "prod", flagID("small")); err != nil {
		t.Error(err)
	}
	if metrics := p.ask(http.MethodGet, "/metrics", ""); strings.Contains(metrics.body, "\nflagside_api_requests_shed_total 0\n") {
		t.Error("the metrics do not count what was refused")
	}
	for _, c := range greedy {
		c.Close()
	}
	p.await("a large answer", func() bool {
		return p.ask(http.MethodGet, list, "").status == http.StatusOK
	})
}
