package sidecar_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

// nowhere is an address where no server listens.
const nowhere = "nats://127.0.0.1:1"

func TestChangesReachTheAnswer(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1), "other": flag(7)})
	s := start(t, options(server.URL()))
	s.awaitReady()
	s.want("greeting", 1.0)
	s.want("other", 7.0)

	position := p.put(map[string]string{"greeting": flag(2), "other": ""})
	s.awaitValue("greeting", 2.0)
	if status, _ := s.evaluate("other"); status != http.StatusNotFound {
		t.Errorf("a deleted flag answers %d", status)
	}

	waiting.Until(t, "a heartbeat", func() bool { return s.status()["log"].(map[string]any)["lastHeartbeat"] != nil })
	status := s.status()
	want := map[string]any{
		"environment": environment, "version": "devel", "ready": true, "flags": 1.0,
		"revision": position.Token().String(), "digest": position.Digest.String(),
	}
	for name, value := range want {
		if status[name] != value {
			t.Errorf("status: %s is %v, want %v", name, status[name], value)
		}
	}
	serving := status["serving"].(map[string]any)
	if age, known := serving["ageSeconds"].(float64); serving["state"] != "live" || !known || age < 0 {
		t.Errorf("serving: %v", serving)
	}
	if diff := cmp.Diff([]any{}, status["conditions"]); diff != "" {
		t.Error(diff)
	}
}

func TestMetrics(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	s := start(t, options(server.URL()))
	s.awaitReady()
	s.want("greeting", 1.0)
	_, metrics := s.get("/metrics")
	for _, line := range []string{
		`flagside_evaluations_total{reason="static"} 1`,
		`flagside_evaluations_total{reason="error"} 0`,
		`flagside_evaluation_errors_total{code="flag_not_found"} 0`,
		`flagside_ready 1`,
		`flagside_snapshot_revision 3`,
		`flagside_snapshot_flags 1`,
		`flagside_nats_connected 1`,
		`flagside_serving_state{state="live"} 1`,
		`flagside_serving_state{state="disk"} 0`,
		`flagside_condition{condition="log-hole",severity="critical"} 0`,
		`flagside_http_panics_total 0`,
		`flagside_build_info{component="sidecar",`,
		`flagside_snapshot_age_seconds `,
		`flagside_nats_reconnects_total 0`,
		`flagside_breaker_state{dependency="leader",state="closed"} 1`,
		`flagside_breaker_state{dependency="leader",state="open"} 0`,
		`flagside_propagation_seconds_count 0`,
		`go_goroutines `,
	} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("no line %q in the metrics", line)
		}
	}
	if strings.Contains(metrics, "greeting") {
		t.Error("a metric names a flag")
	}
}

// What is counted of the way of a change is the way of those that were made while the sidecar followed.
func TestPropagationIsMeasured(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	o := options(server.URL())
	o.MetricsPerFlag = 1
	s := start(t, o)
	s.awaitReady()
	p.put(map[string]string{"greeting": flag(2), "other greeting": flag(3)})
	s.awaitValue("greeting", 2.0)
	var metrics string
	waiting.Until(t, "the measure of a change that is served", func() bool {
		_, metrics = s.get("/metrics")
		return !strings.Contains(metrics, "\nflagside_propagation_seconds_count 0")
	})
	for _, line := range []string{
		`flagside_propagation_seconds_count 1`,
		`flagside_propagation_seconds_bucket{le="60"} 1`,
		`flagside_flag_evaluations_total{feature_flag_key="greeting"} `,
	} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("no line %q in the metrics", line)
		}
	}
}

func TestAnEmptyEnvironmentIsReady(t *testing.T) {
	server := natstest.Start(t)
	publish(t, server)
	s := start(t, options(server.URL()))
	s.awaitReady()
	status, answer := s.evaluate("greeting")
	if status != http.StatusNotFound || answer["errorCode"] != "FLAG_NOT_FOUND" {
		t.Errorf("%d, %v", status, answer)
	}
}

// Without any knowledge the sidecar is up but not ready, and becomes ready by itself.
func TestNothingKnown(t *testing.T) {
	server := natstest.Start(t)
	server.Stop(t)
	s := start(t, options(server.URL()))
	notReady := func() {
		t.Helper()
		status, answer := s.evaluate("greeting")
		if status != http.StatusServiceUnavailable || answer["errorCode"] != "PROVIDER_NOT_READY" || answer["key"] != "greeting" {
			t.Fatalf("%d, %v", status, answer)
		}
		if status, body := s.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"reasons":["`) {
			t.Fatalf("/readyz: %d, %s", status, body)
		}
		if status, _ := s.get("/healthz"); status != http.StatusOK {
			t.Fatalf("/healthz: %d", status)
		}
	}
	waiting.Until(t, "the condition", func() bool { return slices.Contains(s.conditions(), "log-unreachable") })
	notReady()
	if got := s.serving(); got != "empty" || !slices.Contains(s.conditions(), "not-ready") {
		t.Errorf("status %v", got)
	}

	server.Restart(t)
	waiting.Until(t, "the connection", func() bool { return s.status()["log"].(map[string]any)["connected"] == true })
	notReady()

	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	s.awaitReady()
	s.awaitValue("greeting", 1.0)
	if status, body := s.get("/readyz"); status != http.StatusOK || strings.TrimSpace(body) != `{"ready":true}` {
		t.Errorf("/readyz: %d, %s", status, body)
	}
	waiting.Until(t, "the end of all conditions", func() bool { return len(s.conditions()) == 0 })
	for _, code := range []string{"not-ready", "log-unreachable"} {
		if begun, ended := len(s.logs.Lines(code, "detail")), len(s.logs.Lines(code, "condition ended")); begun != 1 || ended != 1 {
			t.Errorf("%s: %d lines when it began, %d when it ended", code, begun, ended)
		}
	}
}

// A sidecar that restarts while nothing can be reached answers what it last knew, at once, and says so.
func TestRestartFromDisk(t *testing.T) {
	server := natstest.Start(t)
	p, stop := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	o := options(server.URL())
	o.DataDir = t.TempDir()
	before := start(t, o)
	before.awaitReady()
	p.put(map[string]string{"greeting": flag(2)})
	before.awaitValue("greeting", 2.0)
	before.stop()
	stop()
	server.Stop(t)

	s := start(t, o)
	s.want("greeting", 2.0) // the first answer there is, without waiting for readiness
	if !s.Ready() {
		t.Error("not ready")
	}
	waiting.Until(t, "the conditions", func() bool {
		conditions := s.conditions()
		return slices.Contains(conditions, "serving-from-disk") && slices.Contains(conditions, "log-unreachable")
	})
	status := s.status()
	if s.serving() != "disk" || status["revision"] == nil {
		t.Errorf("status %v", status)
	}

	server.Restart(t)
	p, _ = publish(t, server)
	p.put(map[string]string{"greeting": flag(3)})
	s.awaitValue("greeting", 3.0)
	waiting.Until(t, "live", func() bool { return s.serving() == "live" })
}

// A flag whose newest version cannot be compiled keeps its last good one, and nothing else is kept back.
func TestABrokenFlagKeepsItsLastGoodVersion(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1), "other": flag(1)})
	s := start(t, options(server.URL()))
	s.awaitValue("greeting", 1.0)

	p.put(map[string]string{"greeting": `{"state":"ENABLED","variants":{"a":9},"defaultVariant":"b"}`, "other": flag(2)})
	s.awaitValue("other", 2.0)
	s.want("greeting", 1.0)
	status := s.status()
	if status["problemCount"] != 1.0 || !slices.Contains(s.conditions(), "flag-kept-last-good") {
		t.Errorf("status %v", status)
	}
	if problem := status["problems"].([]any)[0].(map[string]any); problem["key"] != "greeting" || problem["pointer"] == nil {
		t.Errorf("problem %v", problem)
	}

	p.put(map[string]string{"greeting": flag(3)})
	s.awaitValue("greeting", 3.0)
	if n := s.status()["problemCount"]; n != 0.0 {
		t.Errorf("%v problems are left", n)
	}
}

func TestBootstrapFile(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{"greeting":`+flag(5)+`}}`)
	s := start(t, o)
	s.want("greeting", 5.0)
	if status := s.status(); s.serving() != "bootstrap" || status["revision"] != nil {
		t.Errorf("status %v", status)
	}
	if !slices.Contains(s.conditions(), "serving-from-bootstrap") {
		t.Errorf("conditions %v", s.conditions())
	}
}

// The disk is newer than the bootstrap file, so the file is not used.
func TestDiskGoesBeforeBootstrap(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	o := options(server.URL())
	o.DataDir = t.TempDir()
	before := start(t, o)
	before.awaitValue("greeting", 1.0)
	before.stop()

	o.NATS, o.BootstrapFile = nowhere, write(t, `{"flags":{"greeting":`+flag(5)+`}}`)
	start(t, o).want("greeting", 1.0)
}

// A bootstrap file that cannot be used is reported and does not end the process.
func TestBrokenBootstrapFile(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{"greeting":{}}}`)
	s := start(t, o)
	if status, _ := s.evaluate("greeting"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if _, body := s.get("/readyz"); !strings.Contains(body, "bootstrap file") {
		t.Errorf("/readyz: %s", body)
	}
}

func TestCompatibilityOfTheBootstrapFile(t *testing.T) {
	o := options(nowhere)
	o.Compatibility = "flagd"
	o.BootstrapFile = write(t, `{"flags":{"greeting":{"variants":{"a":5},"defaultVariant":"a"}}}`)
	s := start(t, o)
	s.want("greeting", 5.0)
	if got := s.status()["compatibility"]; got != "flagd" {
		t.Errorf("compatibility %v", got)
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
