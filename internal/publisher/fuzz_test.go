package publisher_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
)

// writing are the routes that take a body, with the media type of it.
func writing() []struct{ method, path, media string } {
	const flag, request = "/api/v1/environments/staging/flags/f", "/api/v1/environments/staging/requests/none"
	all := []struct{ method, path, media string }{
		{"PUT", flag, ""},
		{"PATCH", flag, "application/merge-patch+json"},
		{"PUT", strings.Replace(flag, "flags", "segments", 1), ""},
		{"PATCH", strings.Replace(flag, "flags", "segments", 1), "application/merge-patch+json"},
		{"PUT", "/api/v1/environments/staging/settings", ""},
		{"PUT", "/api/v1/environments/staging/risk", ""},
		{"POST", "/api/v1/environments/staging/restore", "application/octet-stream"},
		{"POST", "/api/v1/environments/staging/requests", ""},
		{"POST", "/api/v1/environments/staging/preview", ""},
		{"POST", "/api/v1/environments", ""},
		{"POST", "/api/v1/tokens", ""},
		{"POST", "/api/v1/policy/check", ""},
	}
	for _, step := range []string{"toggle", "archive", "rollback"} {
		all = append(all, struct{ method, path, media string }{"POST", flag + "/" + step, ""})
	}
	for _, step := range []string{"rollback", "promote"} {
		all = append(all, struct{ method, path, media string }{"POST", "/api/v1/environments/staging/" + step, ""})
	}
	for _, step := range []string{"comment", "approve", "rebase"} {
		all = append(all, struct{ method, path, media string }{"POST", request + "/" + step, ""})
	}
	return all
}

// Whatever is sent, and by whomever it is permitted, nothing fails on the side of the publisher, and every refusal is a problem.
func FuzzBodies(f *testing.F) {
	for route := range writing() {
		for _, body := range []string{
			"", "null", "{}", "[]", `"`, "\x00", `{"a":1,"a":2}`, string(flagBody("on", "")), `{"revision":"00000000-1"}`, `{"from":"other","flags":[""]}`,
			`{"command":{"type":"put","key":"f","ifAbsent":true,"document":{}}}`, `{"command":{"type":"documents","changes":[{"key":"f","document":null}]}}`,
			`{"command":{"type":"rollback","revision":"x"},"applyAt":"9999-12-31T23:59:59Z","lateSeconds":1}`, `{"on":1e999}`,
			`{"name":"n","groups":["g"],"expires":"0001-01-01T00:00:00Z"}`, `{"action":"read","resource":{"environment":"\ud800"}}`,
			`{"share":-1,"freezes":[{"from":"x"}]}`, strings.Repeat("[", 10000), strings.Repeat(`{"a":`, 5000),
		} {
			f.Add(uint8(route), body, `*`, "")
		}
	}
	f.Add(uint8(0), string(flagBody("on", "")), `"00000000-1"`, strings.Repeat("k", 300))
	shared := start(f, publisher.Options{DataDir: f.TempDir()})
	shared.create("staging")
	shared.create("other")
	f.Fuzz(func(t *testing.T, route uint8, body, seen, key string) {
		r := *shared
		r.t = t
		to := writing()[int(route)%len(writing())]
		headers := []string{"Content-Type", to.media, "Idempotency-Key", headerText(key), "If-None-Match", headerText(seen)}
		if strings.HasPrefix(seen, `"`) {
			headers[4] = "If-Match"
		}
		a := r.ask(to.method, to.path, body, headers...)
		if a.status >= http.StatusInternalServerError {
			t.Errorf("%s %s with %q answers %d %s", to.method, to.path, body, a.status, a.body)
		}
		if a.status >= http.StatusBadRequest && a.problem.Status != a.status {
			t.Errorf("%s %s with %q is refused without a problem: %d %s", to.method, to.path, body, a.status, a.body)
		}
	})
}

// headerText removes what no header may have.
func headerText(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, text)
}
