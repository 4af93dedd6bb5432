// Package gateway_test runs proxies as they are installed, with the configuration of deploy/gateway, between visitors and an application that
// knows nothing of flags.
package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
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
	{"nginx", []string{"nginx", "/usr/sbin/nginx"}, "apt-get install nginx-light", []string{"nginx.conf"}, true, func(dir, file string) []string {
		main := "daemon off; worker_processes 1; pid nginx.pid;"
		if os.Getuid() == 0 {
			main += " user root;" // which may use the socket of the sidecar
		}
		return []string{"-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"), "-g", main}
	}},
	{"haproxy", []string{"haproxy", "/usr/sbin/haproxy"}, "apt-get install haproxy", []string{"haproxy.cfg", "flags.lua"}, false, func(_, file string) []string {
		return []string{"-db", "-f", file}
	}},
	{"caddy", []string{"caddy"}, "go install github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9", []string{"Caddyfile"}, false, func(_, file string) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", file}
	}},
}

// site is a proxy before two versions of an application, with a gate.
type site struct {
	t         *testing.T
	ctx       context.Context //nolint:containedctx // the deadline of the test
	publisher *process.Publisher
	sidecar   *process.Sidecar
	revision  string
	gate      string // its address
	address   string // of the proxy
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
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
			s.tryFlags()
			s.tryVisitors()
			s.tryFailures(one.keeps)
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
	if os.Getenv("FLAGSIDE_PROXIES") != "" && p.name != "caddy" {
		t.Fatalf("%s is not installed: %s", p.name, p.install)
	}
	t.Skipf("%s is not installed, so the gate is not tried behind it: %s", p.name, p.install)
	return ""
}

// newSite starts everything.
func newSite(ctx context.Context, t *testing.T, binaries process.Binaries, p proxy, program string) *site {
	t.Helper()
	dir := t.TempDir()
	addresses, err := process.FreeAddresses(6)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, ctx: ctx, gate: addresses[4], address: addresses[5]}
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
	s.sidecar, err = binaries.StartSidecar("prod", s.publisher.NATS, "", addresses[2], addresses[3], "--gate-addr", addresses[4], "--gate-addr", "unix:"+socket,
		"--gate-flags", "/="+flagKey, "--gate-context-from-header", "X-Plan=plan", "--gate-context-from-header", "X-User=targetingKey",
		"--gate-visitor-key-file", keys, "--gate-cookie", "flagside_visitor")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sidecar.Kill)
	if err := s.sidecar.AwaitReady(ctx); err != nil {
		t.Fatalf("%v\n%s", err, s.sidecar.Output())
	}
	replace := strings.NewReplacer("/run/flagside/gate.sock", socket, "127.0.0.1:8018", addresses[4], "127.0.0.1:8000", s.address,
		"127.0.0.1:8080", application(t, "stable"), "127.0.0.1:8081", application(t, "canary"), "/etc/haproxy/", dir+"/")
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

// visit sends a request of a visitor, and returns what the application saw, and the cookie that came back.
func (s *site) visit(method, target, body string, fields ...string) (saw seen, cookie string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.ctx, method, "http://"+s.address+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		request.Header.Add(fields[i], fields[i+1])
	}
	response, err := http.DefaultClient.Do(request)
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
	if cookies := response.Cookies(); len(cookies) > 0 {
		cookie = cookies[0].Name + "=" + cookies[0].Value
	}
	return saw, cookie
}

// tryFlags tries that an application gets flags, not what a visitor pretends, and everything else as it was.
func (s *site) tryFlags() {
	s.t.Helper()
	saw, _ := s.visit(http.MethodPost, "/cart?item=7", "two of them", "X-User", "ada", "X-Plan", "gold")
	if saw.flags()["X-Flag-New-Checkout"] != "on" || saw.flags()["X-Flags"] != "new-checkout=on" || saw.Version != "canary" {
		s.t.Errorf("gold: %+v", saw)
	}
	if saw.Method != http.MethodPost || saw.Target != "/cart?item=7" || saw.Body != "two of them" {
		s.t.Errorf("the request came as %s %s %q", saw.Method, saw.Target, saw.Body)
	}
	saw, _ = s.visit(http.MethodGet, "/", "", "X-User", "bob", "X-Flag-New-Checkout", "on", "X-Flags", "new-checkout=on", "X_Flag_New_Checkout", "on",
		"X-Flag_New-Checkout", "on", "x_flag-made-up", "on")
	for name := range saw.Header {
		if plain := strings.ToLower(strings.ReplaceAll(name, "_", "-")); strings.HasPrefix(plain, "x-flag") && (strings.Contains(name, "_") || plain == "x-flag-made-up") {
			s.t.Errorf("the application sees %s, which a visitor has made up", name)
		}
	}
	if saw.flags()["X-Flag-New-Checkout"] != "off" || saw.flags()["X-Flags"] != "new-checkout=off" || saw.Version != "stable" {
		s.t.Errorf("a visitor has set a flag: %+v", saw)
	}
	s.put(100)
	waiting.Until(s.t, "the change to arrive", func() bool {
		saw, _ = s.visit(http.MethodGet, "/", "", "X-User", "bob")
		return saw.Version == "canary"
	})
}

// tryVisitors tries that a percentage is of visitors, and that each keeps its version.
func (s *site) tryVisitors() {
	s.t.Helper()
	s.put(30)
	waiting.Until(s.t, "the change to arrive", func() bool {
		saw, _ := s.visit(http.MethodGet, "/", "")
		return saw.Version == "stable"
	})
	const visitors = 500
	on := 0
	for i := range visitors {
		first, cookie := s.visit(http.MethodGet, "/", "")
		if cookie == "" {
			s.t.Fatalf("visitor %d got no cookie: %+v", i, first)
		}
		if first.Version == "canary" {
			on++
		}
		if i%10 > 0 {
			continue
		}
		if again, other := s.visit(http.MethodGet, "/other", "", "Cookie", cookie); again.Version != first.Version || other != "" {
			s.t.Errorf("visitor %d had %s, and then %s; cookie %q", i, first.Version, again.Version, other)
		}
	}
	if want := 0.3 * visitors; math.Abs(float64(on)-want) > 5*math.Sqrt(want*0.7) { // five standard deviations
		s.t.Errorf("%d of %d visitors have it, want about %.0f", on, visitors, want)
	}
}

// tryFailures tries that an application is reached although the gate is not.
func (s *site) tryFailures(keeps bool) {
	s.t.Helper()
	before, _ := s.visit(http.MethodGet, "/asked-before", "", "X-User", "carol", "X-Plan", "gold")
	reached := func(how string) {
		s.t.Helper()
		began := time.Now()
		saw, _ := s.visit(http.MethodGet, "/never-asked-before", "", "X-User", "eve-"+how, "X-Flag-New-Checkout", "on")
		if len(saw.flags()) != 0 || saw.Version != "stable" {
			s.t.Errorf("gate %s: %+v", how, saw)
		}
		s.t.Logf("gate %s: answered after %s", how, time.Since(began).Round(time.Millisecond))
	}
	if err := s.sidecar.Signal(pause); err != nil {
		s.t.Fatal(err)
	}
	asking := http.Client{Timeout: 200 * time.Millisecond}
	waiting.Until(s.t, "the gate to stand still", func() bool { // a signal takes a moment
		response, err := asking.Get("http://" + s.gate + "/v1/gate/")
		return err != nil || response.Body.Close() != nil
	})
	reached("paused")
	if err := s.sidecar.Signal(resume); err != nil {
		s.t.Fatal(err)
	}
	s.sidecar.Kill()
	reached("killed")
	time.Sleep(2 * time.Second) // what was kept is older than it may be while the gate answers
	after, _ := s.visit(http.MethodGet, "/asked-before", "", "X-User", "carol", "X-Plan", "gold")
	if before.flags()["X-Flag-New-Checkout"] != "on" || keeps != (after.flags()["X-Flag-New-Checkout"] == "on") {
		s.t.Errorf("before %+v, without the gate %+v", before, after)
	}
}
