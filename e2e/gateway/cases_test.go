package gateway_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/waiting"
)

// cases are what is tried behind each proxy, in this order.
var cases = []struct {
	name string
	try  func(*site)
}{
	{"flags are injected", (*site).tryFlags},
	{"spoofed fields are removed", (*site).trySpoofed},
	{"odd requests pass", (*site).tryOdd},
	{"a change is routed by", (*site).tryChange},
	{"a percentage is of visitors", (*site).tryVisitors},
	{"a slow gate is waited for a moment", (*site).trySlow},
	{"a gate that is gone is not waited for", (*site).tryGone},
	{"a gate that comes back is asked", (*site).tryBack},
}

// visitorCookie is the cookie of the gate.
const visitorCookie = "flagside_visitor"

// ask sends a request until it comes with flags: the gate, or the proxy itself, may be late on a busy machine, and the application is asked without them then.
func (s *site) ask(method, target, body string, fields ...string) (saw seen, cookies map[string]string) {
	s.t.Helper()
	waiting.Until(s.t, "flags", func() bool {
		saw, cookies = s.visit(method, target, body, fields...)
		s.asked++
		if len(saw.flags()) == 0 {
			s.late++
		}
		return len(saw.flags()) > 0
	})
	return saw, cookies
}

// tryFlags tries that an application gets flags, and everything else as it was, and that a canary is routed by one.
func (s *site) tryFlags() {
	s.t.Helper()
	saw, cookies := s.ask(http.MethodPost, "/cart?item=7", "two of them", "X-User", "ada", "X-Plan", "gold")
	if saw.flags()["X-Flag-New-Checkout"] != "on" || saw.flags()["X-Flags"] != "new-checkout=on" || saw.Version != "canary" {
		s.t.Errorf("gold: %+v", saw)
	}
	if saw.Method != http.MethodPost || saw.Target != "/cart?item=7" || saw.Body != "two of them" || cookies[visitorCookie] != "" {
		s.t.Errorf("the request came as %s %s %q; cookies %v", saw.Method, saw.Target, saw.Body, cookies)
	}
	if saw, _ = s.ask(http.MethodGet, "/", "", "X-User", "bob"); saw.flags()["X-Flag-New-Checkout"] != "off" || saw.Version != "stable" {
		s.t.Errorf("without a plan: %+v", saw)
	}
}

// spoofed are fields by which a visitor pretends to have flags.
var spoofed = []string{
	"X-User", "bob", "X-Flag-New-Checkout", "on", "x-flag-new-checkout", "on", "X-FLAG-NEW-CHECKOUT", "on", "X-Flags", "new-checkout=on", "x-flags", "new-checkout=on",
	"X_Flag_New_Checkout", "on", "X-Flag_New-Checkout", "on", "x_flag-made-up", "on", "X_FLAGS", "new-checkout=on", "X-Flag-New_Checkout", "on",
}

// trySpoofed tries that a visitor sets no flag.
func (s *site) trySpoofed() {
	s.t.Helper()
	saw, _ := s.ask(http.MethodGet, "/", "", spoofed...)
	s.onlyOurs(saw)
	if saw.flags()["X-Flag-New-Checkout"] != "off" || saw.flags()["X-Flags"] != "new-checkout=off" || saw.Version != "stable" {
		s.t.Errorf("a visitor has set a flag: %+v", saw)
	}
}

// onlyOurs tries that an application sees no name of a flag that a visitor has made up.
func (s *site) onlyOurs(saw seen) {
	s.t.Helper()
	for name, values := range saw.Header {
		plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		if strings.HasPrefix(plain, "x-flag") && (strings.Contains(name, "_") || plain == "x-flag-made-up" || len(values) != 1) {
			s.t.Errorf("the application sees %s: %v, which a visitor has made up", name, values)
		}
	}
}

// tryOdd tries that nothing is refused for being asked in an unusual way.
func (s *site) tryOdd() {
	s.t.Helper()
	for _, target := range []string{"/a/%2e%2e/admin", "/a//b/./c", "/%20?x=%0d%0aX-Flag-Evil:%201", "/?" + strings.Repeat("a=b&", 800), "/v1/gate/other"} {
		saw, _ := s.ask(http.MethodGet, target, "", "X-User", "ada", "X-Plan", "gold")
		if saw.flags()["X-Flag-New-Checkout"] != "on" || len(saw.flags()) != 2 {
			s.t.Errorf("%.50s: %+v", target, saw)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		if saw, _ := s.ask(method, "/", "x", "X-User", "ada", "X-Plan", "gold"); saw.flags()["X-Flag-New-Checkout"] != "on" || saw.Method != method {
			s.t.Errorf("%s: %+v", method, saw)
		}
	}
	saw, _ := s.ask(http.MethodGet, "/", "", "X-User", strings.Repeat("u", 3000), "X-Plan", "gold", "Cookie", visitorCookie+"=forged; a=\"b\\c\"; =; ;")
	if saw.flags()["X-Flag-New-Checkout"] != "on" {
		s.t.Errorf("a long name: %+v", saw)
	}
}

// tryChange tries that a changed flag changes the route, and tells how soon: for new visitors, and for one whose answer may be kept by the proxy.
func (s *site) tryChange() {
	s.t.Helper()
	for range 3 {
		s.ask(http.MethodGet, "/", "", "X-User", "bob")
	}
	s.put(100)
	began := time.Now()
	looks := 0
	waiting.Until(s.t, "the change to arrive", func() bool {
		looks++
		saw, _ := s.visit(http.MethodGet, "/", "", "X-User", fmt.Sprintf("new-%d", looks))
		return saw.Version == "canary"
	})
	s.measured(began)
	waiting.Until(s.t, "the change to arrive for a visitor who is known", func() bool {
		saw, _ := s.visit(http.MethodGet, "/", "", "X-User", "bob")
		return saw.Version == "canary"
	})
	if s.proxy.keeps {
		s.t.Logf("figure: , %.0f ms where an answer is kept", float64(time.Since(began))/float64(time.Millisecond))
	}
}

// measured tells how long something took.
func (s *site) measured(began time.Time) {
	s.t.Helper()
	s.t.Logf("figure: %.0f ms", float64(time.Since(began))/float64(time.Millisecond))
}

// tryVisitors tries that a percentage is of visitors, and that each keeps its version.
func (s *site) tryVisitors() {
	s.t.Helper()
	s.put(30)
	waiting.Until(s.t, "the change to arrive", func() bool {
		saw, _ := s.ask(http.MethodGet, "/", "")
		return saw.Version == "stable"
	})
	visitors := 500
	if os.Getenv("FLAGSIDE_SOAK") != "" && s.proxy.name == "nginx" {
		visitors = 10_000
	}
	on := 0
	for i := range visitors {
		first, cookies := s.ask(http.MethodGet, "/", "")
		if cookies[visitorCookie] == "" {
			s.t.Fatalf("visitor %d got no cookie: %+v", i, first)
		}
		if first.Version == "canary" {
			on++
		}
		if i%10 > 0 {
			continue
		}
		again, others := s.ask(http.MethodGet, "/other", "", "Cookie", visitorCookie+"="+cookies[visitorCookie])
		if again.Version != first.Version || others[visitorCookie] != "" {
			s.t.Errorf("visitor %d had %s, and then %s; cookies %v", i, first.Version, again.Version, others)
		}
	}
	want := 0.3 * float64(visitors)
	if math.Abs(float64(on)-want) > 5*math.Sqrt(want*0.7) { // five standard deviations
		s.t.Errorf("%d of %d visitors have it, want about %.0f", on, visitors, want)
	}
	s.t.Logf("figure: %.1f %% of %d", 100*float64(on)/float64(visitors), visitors)
	s.t.Logf("%d of %d requests came without flags, because the gate was late", s.late, s.asked)
}

// failures is how many requests are sent while the gate does not answer.
const failures = 20

// reachedWithoutFlags tries that an application is reached although the gate does not answer, without what visitors pretend, and tells how soon.
func (s *site) reachedWithoutFlags() {
	s.t.Helper()
	var took figures.Durations
	for i := range failures {
		fields := append([]string{"X-User", fmt.Sprintf("eve-%s-%d", s.t.Name(), i)}, spoofed[2:]...)
		began := time.Now()
		saw, _ := s.visit(http.MethodGet, "/never-asked-before", "", fields...)
		took = append(took, time.Since(began))
		if len(saw.flags()) != 0 || saw.Version != "stable" {
			s.t.Errorf("without the gate: %+v", saw)
		}
	}
	s.t.Logf("figure: %.1f ms, at most %.1f ms", took.Milliseconds(50), took.Milliseconds(100))
}

// trySlow tries that a gate that does not answer stops no requests.
func (s *site) trySlow() {
	s.t.Helper()
	if err := s.sidecar.Signal(pause); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := s.sidecar.Signal(resume); err != nil {
			s.t.Fatal(err)
		}
	}()
	asking := http.Client{Timeout: 200 * time.Millisecond}
	waiting.Until(s.t, "the gate to stand still", func() bool { // a signal takes a moment
		response, err := asking.Get("http://" + s.gate + "/v1/gate/")
		return err != nil || response.Body.Close() != nil
	})
	s.reachedWithoutFlags()
}

// tryGone tries that a gate that is not there stops no requests, and that a proxy that can goes on with what it was told.
func (s *site) tryGone() {
	s.t.Helper()
	known := []string{"X-User", "carol", "X-Plan", "gold"}
	var before seen
	for range 3 { // what is asked once is not kept
		before, _ = s.ask(http.MethodGet, "/asked-before", "", known...)
	}
	s.sidecar.Kill()
	s.reachedWithoutFlags()
	time.Sleep(2 * time.Second) // what was kept is older than it may be while the gate answers
	after, _ := s.visit(http.MethodGet, "/asked-before", "", known...)
	if s.proxy.keeps != (after.flags()["X-Flag-New-Checkout"] == "on") {
		s.t.Errorf("before %+v, without the gate %+v", before, after)
	}
}

// tryBack tries that flags come again after the gate was gone.
func (s *site) tryBack() {
	s.t.Helper()
	var err error
	if s.sidecar, err = s.launch(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.sidecar.AwaitReady(s.ctx); err != nil {
		s.t.Fatalf("%v\n%s", err, s.sidecar.Output())
	}
	began := time.Now()
	i := 0
	waiting.Until(s.t, "flags to come again", func() bool {
		i++
		saw, _ := s.visit(http.MethodGet, "/back", "", "X-User", fmt.Sprintf("dan-%d", i), "X-Plan", "gold")
		return saw.flags()["X-Flag-New-Checkout"] == "on"
	})
	s.measured(began)
}
