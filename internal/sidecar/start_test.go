package sidecar_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

// With the log reachable, the first answer after a restart has what changed meanwhile.
func TestAStartCatchesUpFirst(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	o := options(server.URL())
	o.DataDir = t.TempDir()
	before := start(t, o)
	before.awaitValue("greeting", 1.0)
	before.stop()
	p.put(map[string]string{"greeting": flag(2)})

	o.CatchUpGrace = patience
	s := start(t, o)
	s.want("greeting", 2.0)
	if got := s.status()["serving"].(map[string]any)["state"]; got != "live" {
		t.Errorf("serving %v", got)
	}
}

// When the connection is refused, the grace is not waited for, and what is answered from is told.
func TestAStartWithoutTheLogDoesNotWait(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{"greeting":`+flag(5)+`}}`)
	o.CatchUpGrace = time.Hour
	o.ReadyWhen = "fresh:30s"
	s := start(t, o)
	s.want("greeting", 5.0)
	status := s.status()
	serving := status["serving"].(map[string]any)
	if _, told := serving["ageSeconds"]; serving["state"] != "bootstrap" || told {
		t.Errorf("serving %v", serving)
	}
	if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "age of the flags is unknown") {
		t.Errorf("/readyz: %d, %s", code, body)
	}
	var names []string
	for _, d := range status["dependencies"].([]any) {
		names = append(names, d.(map[string]any)["name"].(string))
	}
	if !slices.Contains(names, "leader") || !slices.Contains(names, "connection") {
		t.Errorf("dependencies %v", names)
	}
}

// The serving state falls with the connection and comes back with it, while answers go on.
func TestTheRungFollowsTheLog(t *testing.T) {
	server := natstest.Start(t)
	p, stop := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	o := options(server.URL())
	o.ReadyWhen = "live"
	s := start(t, o)
	s.awaitReady()
	stop()
	server.Stop(t)
	waiting.Until(t, "the serving state memory", func() bool {
		return s.status()["serving"].(map[string]any)["state"] == "memory" && slices.Contains(s.conditions(), "serving-from-memory")
	})
	s.want("greeting", 1.0)
	if s.Ready() {
		t.Error("ready although nothing is live")
	}
	server.Restart(t)
	waiting.Until(t, "the serving state live", func() bool { return s.status()["serving"].(map[string]any)["state"] == "live" }) // by a barrier, without a beat
	s.awaitReady()
}
