package sidecar_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
)

// browse sends a request as a browser would over HTTP/1.1: to an address, with the Host and the headers that it has for a page.
func browse(t *testing.T, addr net.Addr, method, path, host string, headers ...string) (status int, answer string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, addr.Network(), addr.String())
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// ports are one request for each port of a sidecar that is answered with 200.
func (r *running) ports() []port {
	return []port{
		{r.OFREPAddr(), http.MethodPost, "/ofrep/v1/evaluate/flags"},
		{r.FlagdAddr(), http.MethodPost, "/flagd.evaluation.v1.Service/ResolveAll"},
		{r.FlagdSyncAddr(), http.MethodPost, "/flagd.sync.v1.FlagSyncService/FetchAllFlags"},
		{r.ManagementAddr(), http.MethodGet, "/status"},
	}
}

type port struct {
	addr         net.Addr
	method, path string
}

// No page can use a browser on this machine to ask a sidecar: not by rebinding its own name to loopback, and not across sites.
func TestPagesCannotAskASidecar(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"a": flag(1)})
	begin := func(at string, hosts ...string) *running {
		t.Helper()
		o := options(server.URL())
		o.OFREPAddr, o.FlagdAddr, o.FlagdSyncAddr, o.ManagementAddr, o.Hosts = at, at, at, at, hosts
		s := start(t, o)
		s.awaitReady()
		return s
	}
	f := func(s *running, host string, want int, headers ...string) {
		t.Helper()
		for _, port := range s.ports() {
			status, answer := browse(t, port.addr, port.method, port.path, host, headers...)
			if status != want || want == http.StatusMisdirectedRequest && !strings.Contains(answer, "--allowed-host") {
				t.Errorf("%s of %s for %q with %q: %d, %s, want %d", port.path, port.addr, host, headers, status, answer, want)
			}
		}
	}
	const let, misdirected = http.StatusOK, http.StatusMisdirectedRequest
	local := begin("127.0.0.1:0")
	f(local, "rebound.example", misdirected)
	f(local, "rebound.example:8016", misdirected)
	f(local, "localhost:8016", let)
	f(local, "127.0.0.1", let)
	f(local, "localhost", http.StatusForbidden, "Sec-Fetch-Site", "cross-site")
	f(local, "localhost", http.StatusForbidden, "Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000")
	f(local, "localhost", http.StatusForbidden, "Origin", "https://evil.example")
	f(local, "localhost", let, "Sec-Fetch-Site", "same-origin", "Origin", "http://localhost")
	named := begin("127.0.0.1:0", "flags.shop")
	f(named, "flags.shop:8016", let)
	f(named, "rebound.example", misdirected)
	f(begin("127.0.0.1:0", "*"), "any.example", let)
	f(begin("0.0.0.0:0"), "flags.pod", let)
	f(begin("0.0.0.0:0", "flags.pod"), "other.pod", misdirected)
}

// An image in any page could begin a profile, which costs time, if profiles were served to it. They are not served at all unless asked for.
func TestPagesCannotProfileASidecar(t *testing.T) {
	t.Parallel()
	o := options(nowhere)
	plain := start(t, o)
	o.Profiling = true
	profiling := start(t, o)
	image := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	f := func(s *running, want int, headers ...string) {
		t.Helper()
		for _, path := range []string{"/debug/pprof/profile?seconds=1", "/debug/pprof/heap"} {
			if status, answer := browse(t, s.ManagementAddr(), http.MethodGet, path, "localhost", headers...); status != want {
				t.Errorf("%s with %q: %d, %.100s, want %d", path, headers, status, answer, want)
			}
		}
	}
	f(plain, http.StatusNotFound)
	f(profiling, http.StatusForbidden, image...)
	f(profiling, http.StatusOK)
	o.ManagementAddr = "0.0.0.0:0"
	f(start(t, o), http.StatusForbidden, image...)
}

// No browser reaches a Unix socket, and clients there name any host.
func TestUnixSocketsAskForNoHost(t *testing.T) {
	t.Parallel()
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{}}`)
	o.OFREPAddr = "unix:" + filepath.Join(shortDir(t), "ofrep.sock")
	s := start(t, o)
	s.awaitReady()
	if status, answer := browse(t, s.OFREPAddr(), http.MethodPost, "/ofrep/v1/evaluate/flags", "whatever"); status != http.StatusOK {
		t.Errorf("%d, %s", status, answer)
	}
}

// A port with a TCP address on loopback and a socket asks for a host on the first and not on the second.
func TestPortsOfSeveralAddresses(t *testing.T) {
	t.Parallel()
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{}}`)
	dir := shortDir(t)
	ofrep, rpc := filepath.Join(dir, "ofrep.sock"), filepath.Join(dir, "rpc.sock")
	o.OFREPAddr, o.FlagdAddr = "127.0.0.1:0,unix:"+ofrep, "unix:"+rpc+",127.0.0.1:0"
	s := start(t, o)
	s.awaitReady()
	const bulk, resolve = "/ofrep/v1/evaluate/flags", "/flagd.evaluation.v1.Service/ResolveAll"
	for name, c := range map[string]struct {
		addr       net.Addr
		path, host string
		status     int
	}{
		"OFREP by TCP":                      {s.OFREPAddr(), bulk, "localhost", http.StatusOK},
		"OFREP by TCP, another host":        {s.OFREPAddr(), bulk, "whatever", http.StatusMisdirectedRequest},
		"OFREP by the socket, another host": {&net.UnixAddr{Name: ofrep, Net: "unix"}, bulk, "whatever", http.StatusOK},
		"flagd by TCP":                      {s.FlagdAddr(), resolve, "localhost", http.StatusOK},
		"flagd by TCP, another host":        {s.FlagdAddr(), resolve, "whatever", http.StatusMisdirectedRequest},
		"flagd by the socket, another host": {&net.UnixAddr{Name: rpc, Net: "unix"}, resolve, "whatever", http.StatusOK},
	} {
		if status, answer := browse(t, c.addr, http.MethodPost, c.path, c.host); status != c.status {
			t.Errorf("%s: %d, %s", name, status, answer)
		}
	}
}
