package resolver_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// logged evaluates a flag and returns the lines that were logged at the level.
func (w *world) logged(level zerolog.Level, key, traceparent, evaluationContext string) []map[string]any {
	w.t.Helper()
	var out bytes.Buffer
	r, err := resolver.New(resolver.Options{
		Views: w.store, Log: w, Metrics: prometheus.NewRegistry(), Logger: zerolog.New(&out).Level(level),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	h := headers(map[string]string{"Traceparent": traceparent})
	if key != "" {
		var q resolver.Request
		if err := r.Begin(w.t.Context(), &q, []byte(key), h); err != nil {
			w.t.Fatal(err)
		}
		defer q.End()
		answer(w.t, &q, evaluationContext)
	} else {
		var q resolver.BulkRequest
		if err := r.BeginAll(w.t.Context(), &q, h); err != nil {
			w.t.Fatal(err)
		}
		defer q.End()
		if _, err := q.Answer(w.t.Context(), []byte(evaluationContext), nil, &encoder{form: "test"}); err != nil {
			w.t.Fatal(err)
		}
	}
	if strings.Contains(out.String(), "secret") {
		w.t.Errorf("the context is in the log: %s", out.String())
	}
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			w.t.Fatal(err)
		}
		delete(members, "level")
		delete(members, "revision") // has a part that is made up
		lines = append(lines, members)
	}
	return lines
}

func TestEvaluationsAreLoggedForDebugging(t *testing.T) {
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w := newWorld(t, "plain", flag(`,"metadata":{"flagSetId":"web"}`))
	got := w.logged(zerolog.DebugLevel, "plain", traceparent, `{"email":"secret"}`)
	want := []map[string]any{{
		"message": "flag evaluated", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
		"feature_flag.key": "plain", "feature_flag.result.reason": "targeting_match", "feature_flag.result.variant": "a",
		"feature_flag.set.id": "web", "feature_flag.version": 2.0,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = w.logged(zerolog.DebugLevel, "missing", "", `{}`)
	want = []map[string]any{{
		"message": "flag evaluated", "feature_flag.key": "missing", "feature_flag.result.reason": "error", "error.type": "flag_not_found",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	got = w.logged(zerolog.DebugLevel, "", "", `{"email":"secret"}`)
	want = []map[string]any{{"message": "all flags evaluated", "flags": 1.0, "remembered": false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if got := w.logged(zerolog.InfoLevel, "plain", traceparent, `{}`); len(got) > 0 {
		t.Errorf("without debugging: %v", got)
	}
}

func TestTraces(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	w := newWorld(t, "plain", flag(``))
	for traceparent, valid := range map[string]bool{
		"00-" + id + "-" + span + "-01":                      true,
		"01-" + id + "-" + span + "-01-more":                 true,
		"00-" + id + "-" + span + "-01-more":                 false,
		"01-" + id + "-" + span + "-01more":                  false,
		"ff-" + id + "-" + span + "-01":                      false,
		"00-" + strings.ToUpper(id) + "-" + span + "-01":     false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": false,
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":   false,
		"00_" + id + "-" + span + "-01":                      false,
		"00-" + id[:31] + "-" + span + "-01":                 false,
		strings.Repeat("-", 55):                              false,
		"":                                                   false,
	} {
		line := w.logged(zerolog.DebugLevel, "plain", traceparent, `{}`)[0]
		if _, told := line["trace_id"]; told != valid {
			t.Errorf("%q: %v, want a trace: %v", traceparent, line, valid)
		}
	}
}
