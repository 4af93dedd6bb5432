// Package gateway_test runs proxies as they are installed, with the configuration of deploy/gateway, between visitors and an application that
// knows nothing of flags.
package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/waiting"
)

const configurations = "../../deploy/gateway/"

// proxy is a proxy that is tried.
type proxy struct {
	name     string
	program  []string // where it may be
	install  string   // what to do if it is not
	files    []string // of deploy/gateway; the first is given to the program
	keeps    bool     // it uses answers again while the gate cannot be asked
	argument func(dir, file string) []string
}

var proxies = []proxy{
	{"nginx", []string{"nginx", "/usr/sbin/nginx"}, "apt-get install nginx-light", []string{"nginx.conf"}, true, nginx},
	{"haproxy", []string{"haproxy", "/usr/sbin/haproxy"}, "apt-get install haproxy", []string{"haproxy.cfg", "flags.lua"}, false, func(_, file string) []string {
		return []string{"-db", "-f", file}
	}},
	{"caddy", []string{"caddy"}, "apt-get install caddy", []string{"Caddyfile"}, false, func(_, file string) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", file}
	}},
	{"envoy", envoyProgram, installEnvoy, []string{"envoy.yaml"}, false, envoy},
	{"envoy over gRPC", envoyProgram, installEnvoy, []string{"envoy-grpc.yaml"}, false, envoy},
}

// Where Envoy is, and how it comes there.
var envoyProgram = []string{"envoy", "../../dist/envoy/envoy/_bin/envoy"}

const installEnvoy = "make dist/envoy"

func envoy(_, file string) []string {
	return []string{"-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"}
}

func nginx(dir, file string) []string {
	main := "daemon off; worker_processes 1; pid nginx.pid;"
	if os.Getuid() == 0 {
		main += " user root;" // which may use the socket of the sidecar
	}
	return []string{"-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"), "-g", main}
}

// site is a proxy before two versions of an application, with a gate.
type site struct {
	t         *testing.T
	ctx       context.Context //nolint:containedctx // the deadline of the test
	proxy     proxy
	publisher *process.Publisher
	sidecar   *process.Sidecar
	launch    func() (*process.Sidecar, error) // starts the sidecar
	client    http.Client                      // of visitors
	revision  string
	asked     int    // requests that should have flags
	late      int    // of them, without
	gate      string // its address
	address   string // of the proxy
	more      string // another address that its configuration may use
}

const flagKey = "new-checkout"

// flag is on for those with the plan gold, and for a percentage of the others.
func flag(percent int) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off",`+
		`"targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on",{"fractional":[["on",%d],["off",%d]]}]}}`, percent, 100-percent)
}

func TestProxies(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs and runs proxies: go test without -short does")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	var binaries process.Binaries
	for _, one := range proxies {
		t.Run(one.name, func(t *testing.T) {
			program := one.find(t)
			if binaries.Sidecar == "" {
				var err error
				if binaries, err = process.Build(ctx, dir); err != nil {
					t.Fatal(err)
				}
			}
			s := newSite(ctx, t, binaries, one, program)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					s.t = t
					c.try(s)
				})
			}
		})
	}
}

// find returns where the program is. Where it is not, the test is skipped, unless FLAGSIDE_PROXIES is set.
func (p *proxy) find(t *testing.T) string {
	t.Helper()
	for _, name := range p.program {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("FLAGSIDE_PROXIES") != "" {
		t.Fatalf("%s is not installed: %s", p.name, p.install)
	}
	t.Skipf("%s is not installed, so the gate is not tried behind it: %s", p.name, p.install)
	return ""
}

// newSite starts everything.
func newSite(ctx context.Context, t *testing.T, binaries process.Binaries, p proxy, program string) *site {
	t.Helper()
	dir := t.TempDir()
	addresses, err := process.FreeAddresses(7)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, ctx: ctx, proxy: p, gate: addresses[4], address: addresses[5], more: addresses[6]}
	if s.publisher, err = binaries.StartPublisher(ctx, filepath.Join(dir, "data"), addresses[0], addresses[1]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.publisher.Kill)
	if err := binaries.CreateEnvironment(ctx, s.publisher.Admin, "prod"); err != nil {
		t.Fatal(err)
	}
	s.put(0)
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "g")
	grpcSocket := filepath.Join(dir, "r")
	s.launch = func() (*process.Sidecar, error) {
		return binaries.StartSidecar("prod", s.publisher.NATS, "", addresses[2], addresses[3], "--gate-addr", addresses[4], "--gate-addr", "unix:"+socket,
			"--gate-grpc-addr", "unix:"+grpcSocket, "--gate-flags", "/="+flagKey, "--gate-context-from-header", "X-Plan=plan",
			"--gate-context-from-header", "X-User=targetingKey", "--gate-visitor-key-file", keys, "--gate-cookie", "flagside_visitor")
	}
	if s.sidecar, err = s.launch(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.sidecar.Kill() })
	if err := s.sidecar.AwaitReady(ctx); err != nil {
		t.Fatalf("%v\n%s", err, s.sidecar.Output())
	}
	pairs := []string{"/run/flagside/gate.sock", socket, "/run/flagside/gate-grpc.sock", grpcSocket, "/etc/haproxy/", dir + "/", "\nhttp {\n", "\nhttp {\n" + s.another()}
	for from, to := range map[string]string{
		"127.0.0.1:8000": s.address, "127.0.0.1:8080": application(t, "stable"), "127.0.0.1:8081": application(t, "canary"),
	} {
		_, port, _ := net.SplitHostPort(to)
		pairs = append(pairs, from, to, "port_value: "+from[len("127.0.0.1:"):]+"}", "port_value: "+port+"}")
	}
	replace := strings.NewReplacer(pairs...)
	for _, name := range p.files {
		text, err := os.ReadFile(configurations + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(replace.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	front, err := process.Start(program, p.argument(dir, filepath.Join(dir, p.files[0]))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = front.Stop(10 * time.Second) // it may end with an error
		front.Kill()
	})
	waiting.Until(t, "the proxy to listen", func() bool {
		c, err := net.Dial("tcp", s.address)
		return err == nil && c.Close() == nil
	}, said(front.Output))
	return s
}

// said is what evidence says.
type said func() string

func (s said) String() string { return s() }

// application answers with what it was given in the header of a request.
func application(t *testing.T, version string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what cannot be read is missed by the test
		w.Header().Add("Set-Cookie", "application=mine")
		_ = json.NewEncoder(w).Encode(seen{version, r.Method, r.RequestURI, string(body), r.Header})
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// seen is what an application saw of a request.
type seen struct {
	Version, Method, Target, Body string
	Header                        http.Header
}

// flags are the fields about flags.
func (s seen) flags() map[string]string {
	found := make(map[string]string)
	for name, values := range s.Header {
		if strings.HasPrefix(name, "X-Flag") && strings.Join(values, "") != "" {
			found[name] = strings.Join(values, "|")
		}
	}
	return found
}

// put writes the flag.
func (s *site) put(percent int) {
	s.t.Helper()
	var err error
	if s.revision, err = s.publisher.PutFlag(s.ctx, "prod", flagKey, s.revision, flag(percent)); err != nil {
		s.t.Fatal(err)
	}
}

// visit sends a request of a visitor, and returns what the application saw, and the cookies that came back.
func (s *site) visit(method, target, body string, fields ...string) (saw seen, cookies map[string]string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.ctx, method, "http://"+s.address+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		request.Header[fields[i]] = append(request.Header[fields[i]], fields[i+1]) // as it is written
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("status %d, %v: %s", response.StatusCode, err, text)
	}
	if err := json.Unmarshal(text, &saw); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
	for name := range response.Header {
		if strings.HasPrefix(name, "X-Flag") {
			s.t.Errorf("a visitor sees %s", name)
		}
	}
	cookies = make(map[string]string)
	for _, c := range response.Cookies() {
		cookies[c.Name] += c.Value
	}
	if cookies["application"] != "mine" {
		s.t.Errorf("the application's cookie comes as %v", response.Header["Set-Cookie"])
	}
	return saw, cookies
}

// another returns a server for the configuration of nginx that does not ask the gate, to compare with.
func (s *site) another() string {
	return "server { listen " + s.more + "; location / { proxy_set_header Host $host; proxy_pass http://stable; } }"
}
