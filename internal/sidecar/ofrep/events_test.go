package ofrep_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// withEvents lets a server take events, which are returned.
func withEvents(t *testing.T, views resolver.Views) (recorder *events.Recorder, adjust func(*ofrep.Options)) {
	t.Helper()
	return withEventRate(t, views, events.DefaultRate)
}

// withEventRate is withEvents with how many are taken a minute.
func withEventRate(t *testing.T, views resolver.Views, rate int) (recorder *events.Recorder, adjust func(*ofrep.Options)) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "exposure.key")
	if err := os.WriteFile(key, exposurekey.New().Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	counts := counting.New("shop")
	recorder, err := events.New(events.Options{
		Environment: "test", Share: 1, Rate: rate, Applications: counts.ApplicationName, KeyFile: key, Metrics: metrics, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := resolver.New(resolver.Options{Views: views, Usage: counts, Events: recorder, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	return recorder, func(o *ofrep.Options) { o.Resolver = r }
}

// TestEvents wants every request about events to have the status that it deserves.
func TestEvents(t *testing.T) {
	t.Parallel()
	views := load(t, strings.Replace(flags, `"on":       {`, `"on":       {"exposures":true,`, 1), "")
	recorder, adjust := withEvents(t, views)
	s := start(t, views, adjust)
	f := func(status int, says, method, target, body string, header ...string) {
		t.Helper()
		r := s.do(method, target, body, header...)
		details := fmt.Sprint(r.body["errorDetails"])
		if r.status != status || says != "" && !strings.Contains(details, says) {
			t.Errorf("%s %s %.60q: status %d, %v", method, target, body, r.status, r.body)
		}
	}
	const path = "/v1/events"
	f(http.StatusAccepted, "", http.MethodPost, path, `{"event":"bought","targetingKey":"u"}`)
	f(http.StatusAccepted, "", http.MethodPost, path+"?from=here", `[{"event":"bought"}]`, "Flagside-Application: cart")
	f(http.StatusAccepted, "", http.MethodPost, "/"+path, `[{"targetingKey":"u","exposure":{"flag":"on","variant":"off"}},{"targetingKey":"u","exposure":{"flag":"text","variant":"x"}}]`)
	f(http.StatusBadRequest, "/0/event: missing", http.MethodPost, path, `[{}]`)
	f(http.StatusBadRequest, "ends before", http.MethodPost, path, "")
	f(http.StatusMethodNotAllowed, "POST", http.MethodGet, path, "")
	f(http.StatusUnsupportedMediaType, "compressed", http.MethodPost, path, `{"event":"bought"}`, "Content-Encoding: gzip")
	f(http.StatusRequestEntityTooLarge, "65536", http.MethodPost, path, `{"event":"bought","more":"`+strings.Repeat("x", events.MaxBody)+`"}`)
	f(http.StatusNotFound, "nothing at this path", http.MethodPost, path+"/more", `{"event":"bought"}`)
	f(http.StatusForbidden, "", http.MethodPost, path, `{"event":"bought"}`, "Origin: https://evil.example")
	if r := s.do(http.MethodPost, path, `[{"targetingKey":"u","exposure":{"flag":"on","variant":"off"}},{"event":"e"},{"targetingKey":"u","exposure":{"flag":"text","variant":"x"}}]`); r.body["accepted"] != 2.0 || r.body["ignored"] != 1.0 {
		t.Errorf("%v", r.body)
	}
	exposures, outcomes := recorder.Collect(1 << 30)
	if len(exposures) != 1 || len(outcomes) != 3 || outcomes[0].Application != "" || outcomes[1].Application != "cart" {
		t.Errorf("%+v %+v", exposures, outcomes)
	}
	many := `[` + strings.Repeat(`{"event":"e"},`, events.MaxEvents-1) + `{"event":"e"}]`
	for range events.MaxOutcomes / events.MaxEvents {
		f(http.StatusAccepted, "", http.MethodPost, path, many)
	}
	r := s.do(http.MethodPost, path, `{"event":"one more"}`)
	if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("no room: status %d, %v, %v", r.status, r.header, r.body)
	}
}

// TestTooManyEvents wants an application that tells more than is reported to hear of that, and when to come again.
func TestTooManyEvents(t *testing.T) {
	t.Parallel()
	views := load(t, flags, "")
	recorder, adjust := withEventRate(t, views, 1)
	s := start(t, views, adjust)
	many := `[` + strings.Repeat(`{"event":"e"},`, events.MaxEvents-1) + `{"event":"e"}]`
	for n := 0; ; n += events.MaxEvents {
		r := s.do(http.MethodPost, "/v1/events", many)
		if r.status == http.StatusAccepted && n < 1000 {
			continue
		}
		if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" || !strings.Contains(fmt.Sprint(r.body), "--event-rate") || recorder.Waiting() != n {
			t.Errorf("after %d: status %d, %v, %v; %d wait", n, r.status, r.header, r.body, recorder.Waiting())
		}
		break
	}
	if lost := recorder.TakeLost(); lost != (events.Lost{Outcomes: events.MaxEvents}) {
		t.Errorf("%+v", lost)
	}
}

// TestEventsNeedAToken wants events to need what evaluations need.
func TestEventsNeedAToken(t *testing.T) {
	t.Parallel()
	views := load(t, flags, "")
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("the-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	recorder, adjust := withEvents(t, views)
	s := start(t, views, func(o *ofrep.Options) { adjust(o); o.TokenFile = file })
	if r := s.do(http.MethodPost, "/v1/events", `{"event":"e"}`); r.status != http.StatusUnauthorized || recorder.Waiting() != 0 {
		t.Errorf("status %d", r.status)
	}
	if r := s.do(http.MethodPost, "/v1/events", `{"event":"e"}`, "Authorization: Bearer the-token"); r.status != http.StatusAccepted || recorder.Waiting() != 1 {
		t.Errorf("status %d", r.status)
	}
}

// TestWithoutUsageThereAreNoEvents wants that to be said.
func TestWithoutUsageThereAreNoEvents(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags, ""), nil)
	if r := s.do(http.MethodPost, "/v1/events", `{"event":"e"}`); r.status != http.StatusNotFound || !strings.Contains(fmt.Sprint(r.body), "--usage=false") {
		t.Errorf("status %d, %v", r.status, r.body)
	}
}
