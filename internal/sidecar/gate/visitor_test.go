package gate_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/waiting"
)

func keyFile(t *testing.T, keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	writeKeys(t, path, keys...)
	return path
}

func writeKeys(t *testing.T, path string, keys ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("# of visitors\n"+strings.Join(keys, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	oneKey     = "0123456789abcdef0123456789abcdef"
	anotherKey = "another-key-another-key-another-key"
)

// cookieOf returns what a browser sends that was answered with a Set-Cookie; empty if there was none.
func cookieOf(setCookie string) string {
	pair, _, _ := strings.Cut(setCookie, ";")
	return pair
}

// A visitor without a targeting key gets one in a cookie, keeps it, and has the same variant at every request. Forged cookies are replaced.
func TestVisitorsKeepTheirVariant(t *testing.T) {
	t.Parallel()
	path := keyFile(t, oneKey)
	s := start(t, load(t, flags), gate.Options{
		Flags: map[string]string{"/": "split"}, Headers: map[string]string{"X-User": gate.TargetingKey}, VisitorKeyFile: path, Lifetime: 24 * time.Hour,
	})
	first := s.ask("/")
	set := first.Get("Set-Cookie")
	if want := "; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"; !strings.HasPrefix(set, gate.DefaultCookie+"=") || !strings.HasSuffix(set, want) {
		t.Errorf("cookie %q", set)
	}
	if got := first.Get("Cache-Control"); got != "no-store" {
		t.Errorf("an answer with a new visitor may be used again: %q", got)
	}
	for range 5 {
		again := s.ask("/", "Cookie: x=y; "+cookieOf(set))
		if again.Get("Set-Cookie") != "" || again.Get("X-Flag-Split") != first.Get("X-Flag-Split") || again.Get("Cache-Control") != "private, max-age=1" {
			t.Errorf("answered %v after %v", again, first)
		}
	}
	if got := s.ask("/", "X-User: u1"); got.Get("Set-Cookie") != "" {
		t.Errorf("a visitor with a targeting key got a cookie: %v", got)
	}
	value := strings.TrimPrefix(cookieOf(set), gate.DefaultCookie+"=")
	flip := map[byte]string{'A': "B"}[value[0]]
	if flip == "" {
		flip = "A"
	}
	for _, forged := range []string{"", "x", flip + value[1:], value[:len(value)-1], value + "A", strings.ToLower(value), strings.Repeat("A", 26) + "." + strings.Repeat("A", 22), "\xff"} {
		got := s.ask("/", "Cookie: "+gate.DefaultCookie+"="+forged).Get("Set-Cookie")
		if got == "" || cookieOf(got) == cookieOf(set) {
			t.Errorf("cookie %q is taken, or replaced by %q", forged, got)
		}
	}
	writeKeys(t, path, anotherKey, oneKey) // the new key comes first, the old one is accepted
	waiting.Until(t, "the new key", func() bool {
		fresh := start(t, s.store, gate.Options{Flags: map[string]string{"/": "split"}, VisitorKeyFile: keyFile(t, anotherKey)})
		return fresh.ask("/", "Cookie: "+cookieOf(s.ask("/").Get("Set-Cookie"))).Get("Set-Cookie") == ""
	})
	if s.ask("/", "Cookie: "+cookieOf(set)).Get("Set-Cookie") != "" {
		t.Error("a cookie of the key before is not accepted")
	}
	writeKeys(t, path, anotherKey)
	waiting.Until(t, "the end of the old key", func() bool { return s.ask("/", "Cookie: "+cookieOf(set)).Get("Set-Cookie") != "" })
}

// A percentage holds over many new visitors, and each keeps its variant.
func TestPercentageOfVisitors(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "split"}, VisitorKeyFile: keyFile(t, oneKey)})
	const visitors = 10_000
	a := 0
	for i := range visitors {
		first := s.over(nil)
		if first.Get("X-Flag-Split") == "a" {
			a++
		}
		if i%20 > 0 {
			continue
		}
		again := s.over(http.Header{"Cookie": {cookieOf(first.Get("Set-Cookie"))}})
		if again.Get("X-Flag-Split") != first.Get("X-Flag-Split") || again.Get("Set-Cookie") != "" {
			t.Errorf("visitor %d: %v, and then %v", i, first, again)
		}
	}
	if off := math.Abs(float64(a) - visitors/2); off > 5*math.Sqrt(visitors)/2 { // five standard deviations
		t.Errorf("%d of %d visitors have a", a, visitors)
	}
	t.Logf("%.2f %% of %d visitors have a", 100*float64(a)/visitors, visitors)
}

// over asks over a connection that is used again, as proxies do.
func (s *system) over(header http.Header) http.Header {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr+gate.Path+"/", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s, %v", response.Status, err)
	}
	return response.Header
}

func TestFilesOfKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ content, want string }{
		{"short", "line 2 has 5 bytes"}, {"", "has no key"}, {strings.Repeat("x", 5000), "more than 4096 bytes"},
	} {
		_, err := gate.New(gate.Options{Flags: map[string]string{"/": "a"}, VisitorKeyFile: keyFile(t, test.content), Metrics: newRegistry()})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(fmt.Sprint(err), "short") {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}
