package gate_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/sidecar/gate"
)

// lines are log lines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// with returns the lines with a message.
func (l *lines) with(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["message"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// values returns the values of the metrics that begin so; of histograms the counts, with the value of their one label.
func (s *system) values(prefix string) map[string]float64 {
	s.t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), prefix)
		for _, m := range family.GetMetric() {
			switch {
			case !ours:
			case m.GetHistogram() != nil:
				found[name+" "+m.GetLabel()[0].GetValue()] = float64(m.GetHistogram().GetSampleCount())
			default:
				found[name] = m.GetCounter().GetValue()
			}
		}
	}
	return found
}

// Each request of both faces is counted, and leaves one line at the level debug, with its trace and nothing of the visitor.
func TestRequestsAreCountedAndLogged(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	log := new(lines)
	s := start(t, load(t, flags), gate.Options{
		Flags: map[string]string{"/": "new-checkout,code"}, Headers: map[string]string{"X-Plan": "plan"}, VisitorKeyFile: keyFile(t, oneKey), Logger: zerolog.New(log),
	})
	s.ask("/secret", "Traceparent: "+trace, "X-Plan: "+strings.Repeat("g", 2000), "X-Flag-Code: secret", "Cookie: flagside-visitor=secret")
	s.call(checkRequest("/secret", "traceparent", trace, "x-plan", strings.Repeat("g", 2000), "x-flag-code", "secret", "cookie", "flagside-visitor=secret"))
	s.send("GET", "nonsense\r\n\r\n")
	s.call([]byte{0xff})
	want := map[string]float64{
		"request_seconds http": 1, "request_seconds grpc": 2, "evaluations_total": 4, "evaluations_failed_total": 0, "headers_left_out_total": 0, "spoofed_headers_total": 2,
		"context_values_refused_total": 2, "visitors_total": 2, "visitors_refused_total": 2, "requests_malformed_total": 2, "panics_total": 0,
	}
	if diff := cmp.Diff(want, s.values("flagside_gate_")); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	var faces []string
	for _, line := range log.with(t, "gate answered") {
		faces = append(faces, line["face"].(string))
		delete(line, "face")
		want := map[string]any{
			"level": "debug", "message": "gate answered", "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "flags": 2.0, "headers_set": 1.0,
			"headers_removed": 1.0, "visitor_new": true,
		}
		if diff := cmp.Diff(want, line); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	}
	if !slices.Equal(faces, []string{"http", "grpc"}) || strings.Contains(log.text.String(), "secret") {
		t.Errorf("faces %v; lines\n%s", faces, &log.text)
	}
}
