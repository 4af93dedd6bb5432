package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
)

// Two publishers over three servers change the same flag while one of them is
// stopped in the middle and goes on later, and the server that leads the log is
// killed: no change is written over another, none that was acknowledged is
// missing, and the sidecar ends with the last.
func TestTwoPublishersOnACluster(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	servers, err := process.StartCluster(s.ctx, t.TempDir(), natstest.Authorization(t)...)
	t.Cleanup(servers.Kill)
	if err != nil {
		t.Fatal(err)
	}
	var publishers []*process.Publisher
	for _, admin := range addresses(t, 2) {
		p, err := binaries.StartPublisherOn(s.ctx, servers, admin)
		if p != nil {
			t.Cleanup(p.Kill)
		}
		if err != nil {
			t.Fatal(err)
		}
		publishers = append(publishers, p)
	}
	s.publisher, s.nats = publishers[0], publishers[0].NATS
	if err := binaries.CreateEnvironment(s.ctx, publishers[0].Admin, "prod"); err != nil {
		t.Fatalf("%v\n%s", err, publishers[0].Output())
	}
	sidecar := s.startSidecar("prod", t.TempDir(), "--nats-nkey", natstest.SidecarKey(t))
	s.awaitReady(sidecar)
	err = process.Await(s.ctx, "waiting for the other publisher to know the environment", func() bool {
		_, err := publishers[1].PutFlag(s.ctx, "prod", "known", "", []byte(`{"state":"ENABLED","variants":{"only":1},"defaultVariant":"only"}`))
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}

	c := &contention{publishers: publishers, written: make(map[string]string)}
	ctx, cancel := context.WithCancel(s.ctx)
	var writing sync.WaitGroup
	for i := range publishers {
		writing.Go(func() { c.write(ctx, i) })
	}
	c.reach(s, 20)
	for range 3 {
		pause(s, publishers[1], 300*time.Millisecond)
	}
	leader, err := servers.Leader(s.ctx, "FLAGS_prod")
	if err != nil {
		t.Fatal(err)
	}
	leader.Kill()
	pause(s, publishers[0], time.Second)
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	c.reach(s, c.count()+20)
	cancel()
	writing.Wait()
	c.verify(s, sidecar)
}

// pause stops a publisher for a while, wherever it is.
func pause(s *system, p *process.Publisher, d time.Duration) {
	s.t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(d)
	if err := p.Signal(syscall.SIGCONT); err != nil {
		s.t.Fatal(err)
	}
}

// contention is writers who all change one flag.
type contention struct {
	publishers []*process.Publisher

	mu      sync.Mutex
	written map[string]string // the document that was acknowledged, by entity tag
	refused []string          // documents that were told not to be written
	errors  []error
}

const contended = "contended"

// write counts the flag up through one publisher, each time from the version it
// has read there.
func (c *contention) write(ctx context.Context, i int) {
	for n := 0; ctx.Err() == nil; n++ {
		etag, _ := c.publishers[i].FlagRevision(ctx, "prod", contended) // without one: the flag must not exist yet
		document := fmt.Sprintf(`{"state":"ENABLED","variants":{"only":%d},"defaultVariant":"only"}`, len(c.publishers)*n+i)
		etag, err := c.publishers[i].PutFlag(ctx, "prod", contended, etag, []byte(document))
		c.note(etag, document, err)
	}
}

// note keeps what a writer was told. What stays undecided is no promise.
func (c *contention) note(etag, document string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if preconditionFailed(err) {
			c.refused = append(c.refused, document)
		}
		return
	}
	if other, ok := c.written[etag]; ok {
		c.errors = append(c.errors, fmt.Errorf("%s was acknowledged for %s and for %s", etag, other, document))
	}
	c.written[etag] = document
}

func (c *contention) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.written)
}

// reach waits until so many changes are acknowledged.
func (c *contention) reach(s *system, changes int) {
	s.t.Helper()
	if err := process.Await(s.ctx, fmt.Sprintf("waiting for %d changes", changes), func() bool { return c.count() >= changes }); err != nil {
		s.t.Fatalf("%v, %d came\n%s", err, c.count(), s.publisher.Output())
	}
}

// verify compares what was acknowledged with the history of the flag, and the
// sidecar's answer with the last of it.
func (c *contention) verify(s *system, sidecar *process.Sidecar) {
	s.t.Helper()
	for _, err := range c.errors {
		s.t.Error(err)
	}
	history, err := s.publisher.History(s.ctx, "prod", contended)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.publisher.Output())
	}
	byTag, times := make(map[string]string), make(map[string]int)
	for _, change := range history {
		byTag[change.Revision] = string(change.Document)
		times[string(change.Document)]++
	}
	for etag, document := range c.written {
		if byTag[etag] != document {
			s.t.Errorf("%s was acknowledged with %s, the log has %q", etag, document, byTag[etag])
		}
	}
	for document, n := range times {
		if n > 1 {
			s.t.Errorf("%s stands in the log %d times", document, n)
		}
	}
	for _, document := range c.refused {
		if times[document] > 0 {
			s.t.Errorf("%s was refused and stands in the log", document)
		}
	}
	var newest struct {
		Variants map[string]json.RawMessage `json:"variants"`
	}
	if err := json.Unmarshal(history[0].Document, &newest); err != nil {
		s.t.Fatal(err)
	}
	s.awaitValue(sidecar, contended, string(newest.Variants["only"]))
	s.t.Logf("%d acknowledged and %d refused, %d written", len(c.written), len(c.refused), len(history))
	if len(c.refused) == 0 {
		s.t.Error("the publishers never met")
	}
}
