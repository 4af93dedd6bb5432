package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/process"
)

// A publisher whose disk is full is killed and started again over it: sidecars answer throughout, nothing that was acknowledged is lost,
// and changes go on once there is space.
func TestPublisherKilledOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := faultdisk.Start(t, 6<<20)
	s := newSystem(t)
	s.dataDir = disk.Dir()
	s.startPublisher()
	s.createEnvironment("prod")
	s.put("prod", "switch", "", "true")
	sidecar := s.startSidecar("prod", t.TempDir())
	s.awaitReady(sidecar)
	disk.Fill(t, 64<<10)
	written := s.fill("first")
	s.publisher.Kill()
	s.wantAnswer(sidecar, "switch", http.StatusOK, "true")

	s.startPublisher() // while the disk is full
	more := s.fill("second")
	s.wantAnswer(sidecar, "switch", http.StatusOK, "true")
	s.publisher.Kill()

	s.startPublisher()
	disk.Free(t)
	if err := process.Await(s.ctx, "waiting for changes to go on", func() bool {
		_, err := s.publisher.PutFlag(s.ctx, "prod", "last", "", []byte(`{"state":"ENABLED","variants":{"only":7},"defaultVariant":"only"}`))
		return err == nil || strings.Contains(err.Error(), "exists already")
	}); err != nil {
		t.Fatalf("%v\n%s", err, s.publisher.Output())
	}
	s.awaitValue(sidecar, "last", "7")
	for name, count := range map[string]int{"first": written, "second": more} {
		for n := range count {
			s.wantAnswer(sidecar, fmt.Sprintf("%s-%d", name, n), http.StatusOK, `"`+longText+`"`)
		}
	}
}

// longText takes more than a page of a disk.
var longText = strings.Repeat("y", 9000)

// fill makes flags until the disk is full, and returns how many were acknowledged.
func (s *system) fill(name string) (written int) {
	s.t.Helper()
	document := fmt.Appendf(nil, `{"state":"ENABLED","variants":{"only":%q},"defaultVariant":"only"}`, longText)
	for n := range 200 {
		if _, err := s.publisher.PutFlag(s.ctx, "prod", fmt.Sprintf("%s-%d", name, n), "", document); err != nil {
			if !strings.Contains(err.Error(), "disk of the streams is full") {
				s.t.Fatalf("the write that met a full disk says: %v\n%s", err, s.publisher.Output())
			}
			return written
		}
		written++
	}
	s.t.Fatal("the disk does not become full")
	return 0
}
