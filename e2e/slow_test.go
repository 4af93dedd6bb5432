package e2e_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
)

// A sidecar stands still while more changes come than sockets hold, so that the server cuts it off as a slow consumer: when it goes on it
// says how old its knowledge is, and has every change soon.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	servers, err := process.StartServer(s.ctx, t.TempDir(), append(natstest.Authorization(t), "\nwrite_deadline: \"500ms\"\n"...)...)
	t.Cleanup(servers.Kill)
	if err != nil {
		t.Fatal(err)
	}
	s.publisher, err = binaries.StartPublisherOn(s.ctx, servers, s.admin)
	if s.publisher != nil {
		t.Cleanup(s.publisher.Kill)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.createEnvironment("prod")
	s.nats = servers.Addresses()
	slow := &watched{system: s}
	slow.sidecar = s.startSidecar("prod", t.TempDir(), "--nats-nkey", natstest.SidecarKey(t))
	bounded := []byte(`{"state":"ENABLED","variants":{"only":1},"defaultVariant":"only","maxStaleness":"3s"}`)
	if _, err := s.publisher.PutFlag(s.ctx, "prod", boundedKey, "", bounded); err != nil {
		t.Fatal(err)
	}
	s.put("prod", "switch", "", "true")
	s.awaitValue(slow.sidecar, "switch", "true")
	s.awaitValue(slow.sidecar, boundedKey, "1")

	paused := time.Now()
	if err := slow.sidecar.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	changes := 0
	filler, tag := strings.Repeat("x", 400<<10), ""
	err = process.Await(s.ctx, "waiting for the server to cut the sidecar off", func() bool {
		document := fmt.Sprintf(`{"state":"ENABLED","variants":{"only":%d},"defaultVariant":"only","metadata":{"filler":"%s"}}`, changes+1, filler)
		if tag, err = s.publisher.PutFlag(s.ctx, "prod", "counter", tag, []byte(document)); err != nil {
			t.Fatalf("%v\n%s", err, s.publisher.Output())
		}
		changes++
		n, err := servers.Nodes[0].SlowConsumers(s.ctx)
		return err == nil && n > 0 && time.Since(paused) > 4*time.Second
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.sidecar.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	resumed := time.Now()
	if answer, err := slow.sidecar.Evaluate(s.ctx, boundedKey, `{}`); err != nil || answer.Reason != "STALE" {
		t.Errorf("the first answer is %+v, %v; want that it is stale", answer, err)
	}
	for last := ""; last != fmt.Sprint(changes); {
		if s.ctx.Err() != nil {
			t.Fatalf("after %d changes the sidecar knows %s\n%s", changes, last, slow.sidecar.Output())
		}
		if err := slow.note(); err != nil { // never back
			t.Fatal(err)
		}
		last = fmt.Sprint(slow.counter)
	}
	took := time.Since(resumed)
	t.Logf("%d changes of 400 KB; the last was there after %s", changes, took.Round(time.Millisecond))
	if limit := 4*time.Second + slack; took > limit {
		t.Errorf("it took %s until the last change was there, want at most %s", took, limit)
	}
}
