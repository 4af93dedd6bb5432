package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// before serves what a publisher answers, but for what another handler answers instead, which reports whether it did.
func before(t *testing.T, publisher string, instead func(w http.ResponseWriter, r *http.Request) bool) (address string) {
	t.Helper()
	to, err := url.Parse(publisher)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	return listen(t, func(w http.ResponseWriter, r *http.Request) {
		if !instead(w, r) {
			proxy.ServeHTTP(w, r)
		}
	})
}

// switchable returns a publisher with a flag that is on.
func switchable(t *testing.T) (publisher string) {
	t.Helper()
	publisher = serve(t)
	for _, line := range []string{"environment create staging", "flag put checkout -e staging --create"} {
		if code, output := run(t.Context(), publisher, "admin", flag, strings.Fields(line)...); code != 0 {
			t.Fatalf("%s: exit code %d, %s", line, code, output)
		}
	}
	return publisher
}

// isWaiting reports whether a request asks where a revision is served.
func isWaiting(r *http.Request) bool { return strings.Contains(r.URL.Path, "/fleet/revisions/") }

// A change that is made stays made, whatever becomes of the waiting: the exit code never says that nothing was written.
func TestWhatFailsAfterTheChangeDoesNotDenyIt(t *testing.T) {
	t.Parallel()
	publisher := switchable(t)
	for name, fail := range map[string]func(w http.ResponseWriter){
		"the publisher goes away": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"it may not be read": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"type":"urn:flagside:problem:forbidden","title":"You may not read it","status":403}`)
		},
		"it is not there": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"type":"urn:flagside:problem:not-found","title":"It does not exist","status":404}`)
		},
		"it is something else": func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") },
	} {
		address := before(t, publisher, func(w http.ResponseWriter, r *http.Request) bool {
			if isWaiting(r) {
				fail(w)
			}
			return isWaiting(r)
		})
		for _, line := range []string{"flag toggle checkout on -e staging --wait --timeout 50ms", "kill checkout -e staging --timeout 50ms"} {
			code, output := run(t.Context(), address, "admin", "", strings.Fields(line)...)
			if code != 11 || !strings.Contains(output, "the change is made (revision ") || !strings.Contains(output, "run flagside wait ") || !strings.Contains(output, " -e staging") {
				t.Errorf("%s, %s: exit code %d, %s", name, line, code, output)
			}
		}
	}
	if code, output := run(t.Context(), publisher, "admin", "", "flag", "get", "checkout", "-e", "staging"); code != 0 || !strings.Contains(output, "DISABLED") {
		t.Errorf("exit code %d, %s", code, output)
	}
}

// A change request that the publisher did not apply is a failure, whatever the answer is otherwise.
func TestWhatIsNotAppliedIsAFailure(t *testing.T) {
	t.Parallel()
	publisher := switchable(t)
	for status, want := range map[string]int{"needs_rebase": 4, "failed": 4, "expired": 4, "claimed": 6} {
		address := before(t, publisher, func(w http.ResponseWriter, r *http.Request) bool {
			is := strings.HasSuffix(r.URL.Path, "/apply")
			if is {
				fmt.Fprintf(w, `{"id":"R","status":%q,"outcome":{"text":"What it was made from was changed meanwhile."}}`, status)
			}
			return is
		})
		for _, line := range []string{"kill checkout -e staging --break-glass -m incident", "flag toggle checkout off -e staging --break-glass -m incident", "request apply R -e staging"} {
			code, output := run(t.Context(), address, "admin", "", strings.Fields(line)...)
			if code != want || !strings.Contains(output, "not applied, it is "+status+": What it was made from") || strings.Contains(output, "is applied") {
				t.Errorf("%s, %s: exit code %d, want %d: %s", status, line, code, want, output)
			}
		}
	}
}

// Sidecars that are gone without a good-bye are no failure, and not passed over. Clients that evaluate by themselves are told of where it is urgent.
func TestWhatIsNotCountedIsSaid(t *testing.T) {
	t.Parallel()
	const one = `{"name":"shop-3","namespace":"shop","heardAt":"2026-05-04T10:02:11Z","at":"2026-05-04T10:07:11Z","why":"unheard"}`
	const older = `{"name":"shop-4","heardAt":"2026-05-04T09:30:00.5Z","at":"2026-05-04T09:35:11Z","why":"replaced"}`
	publisher := switchable(t)
	for _, test := range []struct {
		lost, wait, kill string
		evaluating       int
	}{
		{lost: "", wait: "served by 2 of 2 sidecars\n", kill: "served by 2 of 2 sidecars\n"},
		{
			lost: one, evaluating: 1,
			wait: "served by 2 of 2 sidecars\n1 sidecar was not heard of since 2026-05-04T10:02:11Z, it may still answer: shop-3 in shop\n",
			kill: "it may still answer: shop-3 in shop\n1 client evaluates by itself: it hears of the change by the stream of the sidecar, and nothing tells when\n",
		},
		{
			lost: one + "," + older, evaluating: 12,
			wait: "2 sidecars were not heard of since 2026-05-04T09:30:00Z or later, they may still answer: shop-3 in shop, shop-4\n",
			kill: "shop-4\n12 clients evaluate by themselves: they hear of the change by the stream of the sidecar, and nothing tells when\n",
		},
	} {
		address := before(t, publisher, func(w http.ResponseWriter, r *http.Request) bool {
			if isWaiting(r) {
				fmt.Fprintf(w, `{"revision":"1f0c9a7e-2","served":2,"of":2,"converged":true,"complete":true,"stragglers":[],"lost":[%s],"evaluating":%d}`, test.lost, test.evaluating)
			}
			return isWaiting(r)
		})
		if code, output := run(t.Context(), address, "admin", "", "wait", "-e", "staging"); code != 0 || output != test.wait && !strings.HasSuffix(output, test.wait) {
			t.Errorf("wait: exit code %d, %s", code, output)
		}
		if code, output := run(t.Context(), address, "admin", "", "kill", "checkout", "-e", "staging"); code != 0 || !strings.HasSuffix(output, test.kill) {
			t.Errorf("kill: exit code %d, %s", code, output)
		}
	}
}

func TestPercentIsANumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"99abc": 2, "abc": 2, "NaN": 2, "-1": 2, "100.1": 2, "9 9": 2, "99": 8, "99.5": 8} { // where no one listens
		code, output := run(t.Context(), "http://127.0.0.1:1", "viewer", "", "wait", "-e", "staging", "--percent="+text, "--timeout", "1ms")
		if code != want || want == 2 && !strings.Contains(output, "--percent is a number from 0 to 100") {
			t.Errorf("%s: exit code %d, want %d: %s", text, code, want, output)
		}
	}
}
