package sidecar_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
)

func TestManagementPathsAndMethods(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{}}`)
	s := start(t, o)
	s.awaitReady()
	base := "http://" + s.ManagementAddr().String()
	cases := []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/healthz", 200, `{"alive":true}`},
		{"GET", "/readyz", 200, `{"ready":true}`},
		{"GET", "/status", 200, `"environment":"prod"`},
		{"GET", "/metrics", 200, "flagside_ready 1"},
		{"HEAD", "/healthz", 200, ""},
		{"POST", "/status", 405, `"detail"`},
		{"DELETE", "/metrics", 405, `"detail"`},
		{"GET", "/", 404, `"detail"`},
		{"GET", "/healthz/", 404, `"detail"`},
		{"GET", "/debug/pprof/", 404, `"detail"`},
		{"POST", "/ofrep/v1/evaluate/flags", 404, `"detail"`},
	}
	for _, c := range cases {
		status, body, err := s.request(c.method, base+c.path, "")
		if err != nil {
			t.Fatal(err)
		}
		if status != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s %s: %d, %q; want %d, %q", c.method, c.path, status, body, c.status, c.contains)
		}
	}
	response, err := http.Get(base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

// Readiness, status, metrics and explanations may be asked for at the same moment, also while flags err.
func TestStateIsToldToManyAtOnce(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{"a":{"state":"ENABLED","variants":{"x":1},"defaultVariant":"x","targeting":{"if":[true,{"cat":["no","thing"]},null]}}}}`)
	s := start(t, o)
	s.awaitReady()
	var asking sync.WaitGroup
	for _, ask := range []func(){
		func() { s.Ready() }, func() { s.Status() }, func() { s.get("/metrics") }, func() { s.evaluate("a") }, func() { s.explain("a", "{}") },
	} {
		asking.Go(func() {
			for range 50 {
				ask()
			}
		})
	}
	asking.Wait()
}

// What is said about the state is true, and what is not known is not said.
func TestStateIsTold(t *testing.T) {
	f := func(s *running, source string, ageKnown, estimated bool) {
		t.Helper()
		_, metrics := s.get("/metrics")
		for _, other := range []string{"live", "memory", "disk", "bootstrap", "empty"} {
			value := 0
			if other == source {
				value = 1
			}
			if line := fmt.Sprintf("flagside_serving_state{state=%q} %d\n", other, value); !strings.Contains(metrics, line) {
				t.Errorf("%s: the metrics lack %s", source, line)
			}
		}
		if strings.Contains(metrics, "\nflagside_snapshot_age_seconds ") != ageKnown {
			t.Errorf("%s: the age is in the metrics: %v, want %v", source, !ageKnown, ageKnown)
		}
		status := s.status()
		serving := status["serving"].(map[string]any)
		if (serving["ageEstimated"] == true) != estimated || strings.Contains(metrics, "flagside_snapshot_age_estimated 1\n") != estimated {
			t.Errorf("%s: serving %v, want an estimated age: %v", source, serving, estimated)
		}
		if _, told := serving["ageSeconds"]; serving["state"] != source || told != ageKnown {
			t.Errorf("%s: serving %v, age told: %v", source, serving, told)
		}
	}
	o := options(nowhere)
	f(start(t, o), "empty", false, false)
	o.BootstrapFile = write(t, `{"flags":{}}`)
	bootstrapped := start(t, o)
	bootstrapped.awaitReady()
	f(bootstrapped, "bootstrap", false, false)

	server := natstest.Start(t)
	p, stop := publish(t, server)
	defer stop()
	p.put(map[string]string{"greeting": flag(1)})
	o = options(server.URL())
	o.DataDir = t.TempDir()
	live := start(t, o)
	live.awaitValue("greeting", 1.0)
	f(live, "live", true, false)
	live.stop()
	o.NATS = nowhere
	restarted := start(t, o)
	restarted.awaitReady()
	f(restarted, "disk", true, true)
}
