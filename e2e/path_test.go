package e2e_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// Three sidecars see every change; a killed publisher costs no answer, and what
// is changed right after its return arrives everywhere.
func TestPublisherKilledAndRestarted(t *testing.T) {
	s := newSystem(t)
	s.startPublisher()
	s.createEnvironment("prod")
	var sidecars []*process.Sidecar
	for range 3 {
		sidecar := s.startSidecar("prod", t.TempDir())
		s.awaitReady(sidecar)
		sidecars = append(sidecars, sidecar)
	}
	etag := s.put("prod", "greeting", "", "1")
	for _, sidecar := range sidecars {
		s.awaitValue(sidecar, "greeting", "1")
		s.awaitServing(sidecar, "live")
	}

	s.publisher.Kill()
	for _, sidecar := range sidecars {
		for range 50 {
			s.wantAnswer(sidecar, "greeting", http.StatusOK, "1")
		}
	}

	s.startPublisher()
	for value := 2; value <= 5; value++ {
		etag = s.put("prod", "greeting", etag, strconv.Itoa(value))
	}
	for _, sidecar := range sidecars {
		s.awaitValue(sidecar, "greeting", "5")
	}
}

// A sidecar that restarts with nothing reachable answers from its disk and says
// so; when the log is back it is live again.
func TestRestartFromDisk(t *testing.T) {
	s := newSystem(t)
	s.startPublisher()
	s.createEnvironment("prod")
	etag := s.put("prod", "greeting", "", "1")
	dir := t.TempDir()
	sidecar := s.startSidecar("prod", dir)
	s.awaitReady(sidecar)
	etag = s.put("prod", "greeting", etag, "2")
	s.awaitValue(sidecar, "greeting", "2")
	err := process.Await(s.ctx, "waiting for the first snapshot on the disk, which is written aside", func() bool {
		_, err := os.Stat(filepath.Join(dir, "prod.snapshot"))
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}

	s.publisher.Kill()
	sidecar.Kill()
	again := s.startSidecar("prod", dir)
	s.awaitReady(again)
	s.wantAnswer(again, "greeting", http.StatusOK, "2")
	s.awaitServing(again, "disk")

	s.startPublisher()
	s.put("prod", "greeting", etag, "3")
	s.awaitValue(again, "greeting", "3")
	s.awaitServing(again, "live")
}

// Without any knowledge a sidecar is not ready, says so in every answer, stays
// up, and becomes ready by itself. An environment that is known to be empty is
// an answer, too.
func TestNothingEverSeen(t *testing.T) {
	s := newSystem(t)
	sidecar := s.startSidecar("prod", t.TempDir())
	err := process.Await(s.ctx, "waiting for the port", func() bool {
		_, err := sidecar.Evaluate(s.ctx, "greeting", `{}`)
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.wantAnswer(sidecar, "greeting", http.StatusServiceUnavailable, "PROVIDER_NOT_READY")
	short, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	if err := sidecar.AwaitReady(short); err == nil {
		t.Fatal("the sidecar is ready without any knowledge")
	}

	s.startPublisher()
	s.wantAnswer(sidecar, "greeting", http.StatusServiceUnavailable, "PROVIDER_NOT_READY")
	s.createEnvironment("prod")
	s.awaitReady(sidecar)
	s.wantAnswer(sidecar, "greeting", http.StatusNotFound, "FLAG_NOT_FOUND")
	s.put("prod", "greeting", "", "1")
	s.awaitValue(sidecar, "greeting", "1")
}
