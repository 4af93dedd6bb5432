package upgrade_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// newerFormat makes a version that writes entries and heartbeats in a newer format, and reads both.
var newerFormat = []process.Edit{
	{File: "sync/changelog/entry.go", Old: "const Version = 2", New: "const Version = 3"},
	{File: "sync/changelog/entry.go", Old: "w.Version == Version {", New: "(w.Version == Version || w.Version == 2) {"},
	{File: "sync/changelog/entry.go", Old: "if header.Version != Version {", New: "if header.Version != Version && header.Version != 2 {"},
	{File: "sync/changelog/heartbeat.go", Old: "case h.Version != Version:", New: "case h.Version != Version && h.Version != 2:"},
}

// A publisher that writes a newer format comes before the sidecars: they serve what they knew and say so, also after a restart, until they are
// replaced. From then on there is no way back: the publisher before it writes nothing on what it cannot read, and says why.
func TestPublisherBeforeSidecars(t *testing.T) {
	now := programs(t).now
	newer, err := now.Edited(t.Context(), "newer-format", newerFormat...)
	if err != nil {
		t.Fatal(err)
	}
	i := newInstallation(t, now, 1)
	s := i.sidecars[0]
	i.startPublisher(0, now, "--data-dir", t.TempDir(), "--nats-addr", i.nats)
	i.begin(now)
	i.caughtUp()
	i.stop()
	i.running.Wait()
	known := i.last()
	s.await(i, known, "")
	i.exchange(0, newer)

	i.increment(i.publishers[0].api, 1)
	if i.last() != known+1 {
		t.Fatalf("the newer publisher did not write: %d\n%s", i.last(), i.publishers[0].process.Output())
	}
	s.await(i, known, health.EntryUnreadable)
	s.replace(i.ctx, now, i.nats)
	s.await(i, known, health.EntryUnreadable)
	s.replace(i.ctx, newer, i.nats)
	s.await(i, known+1, "")

	i.exchangeUnready(0, now)
	err = i.tryIncrement(i.publishers[0].api, 1)
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "newer") {
		t.Errorf("the publisher before it says %v", err)
	}
	t.Logf("the publisher before it says: %v", err)
	s.await(i, known+1, "")
	i.exchange(0, newer)
	i.increment(i.publishers[0].api, 1)
	s.await(i, known+2, "")
}

// A flag uses what only newer sidecars know: the older one keeps the flag's last good version, and says so.
func TestFlagThatAnOlderSidecarDoesNotKnow(t *testing.T) {
	now := programs(t).now
	older, err := now.Edited(t.Context(), "without-sem-ver", process.Edit{
		File: "eval/compile.go", Old: "o, ok := operatorOf(name)\n\tif !ok {", New: "o, ok := operatorOf(name)\n\tif !ok || name == \"sem_ver\" {",
	})
	if err != nil {
		t.Fatal(err)
	}
	i := newInstallation(t, now, 1)
	s := i.sidecars[0]
	i.startPublisher(0, now, "--data-dir", t.TempDir(), "--nats-addr", i.nats)
	i.begin(older)
	i.caughtUp()
	i.stop()
	i.running.Wait()
	known := i.last()
	s.await(i, known, "")
	_, seen, err := i.publishers[0].api.Document(i.ctx, environment, counter)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"state":"ENABLED","variants":{"only":-1},"defaultVariant":"only","targeting":{"if":[{"sem_ver":[{"var":"v"},">","1.0.0"]},"only"]}}`
	if _, _, err := i.publishers[0].api.Put(i.ctx, environment, counter, []byte(body), seen, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	s.await(i, known, health.FlagKeptLastGood)
	s.replace(i.ctx, now, i.nats)
	s.await(i, -1, "")
}

// exchange replaces a publisher, and waits for nothing but that it is ready.
func (i *installation) exchange(place int, b process.Binaries) {
	i.t.Helper()
	p := i.publishers[place]
	if err := p.process.Stop(20 * time.Second); err != nil {
		i.t.Fatal(err)
	}
	i.launch(p, b)
}

// exchangeUnready does the same with a publisher that cannot take changes: it answers, and is not ready.
func (i *installation) exchangeUnready(place int, b process.Binaries) {
	i.t.Helper()
	p := i.publishers[place]
	if err := p.process.Stop(20 * time.Second); err != nil {
		i.t.Fatal(err)
	}
	enough, cancel := context.WithTimeout(i.ctx, 5*time.Second)
	defer cancel()
	started, err := b.StartPublisherWith(enough, p.admin, i.nats, p.options...)
	if started == nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(started.Kill)
	if p.process = started; err == nil {
		i.t.Error("a publisher that cannot read the log is ready")
	}
}

// await waits until the sidecar answers with the value and reports the condition, or none that says that something cannot be read.
func (s *sidecar) await(i *installation, value int, code health.Code) {
	i.t.Helper()
	var answer process.Answer
	var codes []string
	unreadable := func(c string) bool {
		return c == string(health.EntryUnreadable) || c == string(health.FlagKeptLastGood)
	}
	err := process.Await(i.ctx, "waiting for the value and the condition", func() bool {
		var err error
		if answer, err = s.process.Evaluate(i.ctx, counter.Key, `{}`); err != nil || string(answer.Value) != strconv.Itoa(value) {
			return false
		}
		codes = s.conditions(i.ctx)
		if code == "" {
			return !slices.ContainsFunc(codes, unreadable)
		}
		return slices.Contains(codes, string(code))
	})
	if err != nil {
		i.t.Fatalf("%v: want %d and %q, got %s and %v\n%s", err, value, code, answer.Value, codes, s.output())
	}
}
