package upgrade_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

var counter = document.ID{Kind: document.KindFlag, Key: "counter"}

// installation is publishers and sidecars that are replaced one by one. A flag counts up all the while, and every sidecar is asked for it: it may
// never count down, and never be unknown.
type installation struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // the deadline of the whole test
	nats string

	publishers []*publisher
	sidecars   []*sidecar
	stop       context.CancelFunc
	running    sync.WaitGroup

	mu           sync.Mutex
	acknowledged []string // the revisions of the changes that a publisher said were applied
	newest       int      // the last value that was acknowledged
}

// publisher is a place for one, which keeps its address and its options.
type publisher struct {
	admin   string
	options []string
	process *process.Publisher
	api     *client.Client
}

func newInstallation(t *testing.T, b process.Binaries, sidecars int) *installation {
	t.Helper()
	a, err := process.FreeAddresses(3 + 2*sidecars)
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t, ctx: deadline(t), nats: a[0], publishers: []*publisher{{admin: a[1]}, {admin: a[2]}}}
	for n := range sidecars {
		i.sidecars = append(i.sidecars, &sidecar{t: t, ofrep: a[3+2*n], management: a[4+2*n], dir: filepath.Join(t.TempDir(), "sidecar")})
	}
	return i
}

func (i *installation) startPublisher(place int, b process.Binaries, options ...string) {
	i.t.Helper()
	p := i.publishers[place]
	p.options = options
	i.launch(p, b)
	var err error
	if p.api, err = p.process.API(); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) launch(p *publisher, b process.Binaries) {
	i.t.Helper()
	started, err := b.StartPublisherWith(i.ctx, p.admin, i.nats, p.options...)
	if err != nil {
		i.t.Fatal(err)
	}
	p.process = started
	i.t.Cleanup(started.Kill)
}

// begin makes the environment, starts the sidecars, and begins to change and to ask.
func (i *installation) begin(b process.Binaries) {
	i.t.Helper()
	i.publishers = slices.DeleteFunc(i.publishers, func(p *publisher) bool { return p.process == nil })
	if err := b.CreateEnvironment(i.ctx, i.publishers[0].admin, environment); err != nil {
		i.t.Fatal(err)
	}
	i.increment(i.publishers[0].api, 0)
	for n, p := range i.publishers {
		i.await(fmt.Sprintf("publisher %d to know the environment", n), func() bool {
			_, _, err := p.api.Document(i.ctx, environment, counter)
			return err == nil
		})
	}
	changing, stop := context.WithCancel(i.ctx)
	i.stop = stop
	i.t.Cleanup(func() { stop(); i.running.Wait() })
	for _, s := range i.sidecars {
		s.start(i.ctx, b, i.nats)
		i.running.Go(func() { s.ask(changing) })
	}
	for n, p := range i.publishers {
		i.running.Go(func() {
			for value := n + 1; changing.Err() == nil; value += len(i.publishers) {
				i.increment(p.api, value)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

// increment tries to change the counter. It is left alone if the publisher is being replaced or another one was faster.
func (i *installation) increment(c *client.Client, least int) { _ = i.tryIncrement(c, least) }

// tryIncrement writes a value of the counter that is higher than the one that is there, and notes it when the publisher says that it is applied.
func (i *installation) tryIncrement(c *client.Client, least int) error {
	seen, value := client.Precondition{Absent: true}, least
	body, now, err := c.Document(i.ctx, environment, counter)
	switch {
	case err == nil:
		seen, value = now, max(least, valueOf(body)+1)
	case least > 0:
		return err
	}
	body = fmt.Appendf(nil, `{"state":"ENABLED","variants":{"only":%d},"defaultVariant":"only"}`, value)
	_, written, err := c.Put(i.ctx, environment, counter, body, seen, api.ChangeHeaders{})
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.acknowledged, i.newest = append(i.acknowledged, written.Revision()), max(i.newest, value)
	return nil
}

func valueOf(body []byte) int {
	var flag struct {
		Variants struct{ Only int } `json:"variants"`
	}
	_ = json.Unmarshal(body, &flag)
	return flag.Variants.Only
}

func (i *installation) last() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.newest
}

// replaceSidecar ends a sidecar in order, and starts one of another version over its files.
func (i *installation) replaceSidecar(place int, b process.Binaries) {
	i.t.Helper()
	i.sidecars[place].replace(i.ctx, b, i.nats)
	i.caughtUp()
}

// replacePublisher does the same with a publisher.
func (i *installation) replacePublisher(place int, b process.Binaries) {
	i.t.Helper()
	p := i.publishers[place]
	if err := p.process.Stop(20 * time.Second); err != nil {
		i.t.Fatalf("%v\n%s", err, p.process.Output())
	}
	i.launch(p, b)
	i.caughtUp()
}

// caughtUp waits until something more was acknowledged, and all sidecars answer with it.
func (i *installation) caughtUp() {
	i.t.Helper()
	before := i.last()
	i.await("another change", func() bool { return i.last() > before+10 })
	want := i.last()
	for n, s := range i.sidecars {
		i.await(fmt.Sprintf("sidecar %d to answer %d", n, want), func() bool { return s.last() >= want })
	}
}

func (i *installation) await(what string, condition func() bool) {
	i.t.Helper()
	if err := process.Await(i.ctx, "waiting for "+what, condition); err != nil {
		for _, p := range i.publishers {
			i.t.Log(p.process.Output())
		}
		for _, s := range i.sidecars {
			if s.process == nil {
				continue
			}
			i.t.Log(s.output())
		}
		i.t.Fatal(err)
	}
}

// end stops changing, and compares what is there with what was acknowledged: nothing is lost, and both versions prove the history.
func (i *installation) end() {
	i.t.Helper()
	want := i.last()
	i.await("the last change everywhere", func() bool {
		return !slices.ContainsFunc(i.sidecars, func(s *sidecar) bool { return s.last() < want })
	})
	i.stop()
	i.running.Wait()
	history := i.history()
	for _, revision := range i.acknowledged {
		if !history[revision] {
			i.t.Errorf("revision %s was acknowledged and is not in the history", revision)
		}
	}
	answers := 0
	for _, s := range i.sidecars {
		answers += s.answers
	}
	i.t.Logf("%d changes acknowledged of %d in the history, %d answers", len(i.acknowledged), len(history), answers)
	i.verify()
}

// history returns the revisions of all changes of the counter.
func (i *installation) history() map[string]bool {
	i.t.Helper()
	all, before := map[string]bool{}, ""
	for {
		page, err := i.publishers[0].api.History(i.ctx, environment, counter, api.HistoryQuery{Limit: 1000, Before: before})
		if err != nil {
			i.t.Fatal(err)
		}
		for _, change := range page.Items {
			all[change.Revision] = true
		}
		if before = page.Next; before == "" {
			return all
		}
	}
}

// verify exports the history and proves it.
func (i *installation) verify() {
	i.t.Helper()
	b, p := programs(i.t).now, i.publishers[0]
	file := filepath.Join(i.t.TempDir(), "audit")
	run := func(arguments ...string) []byte {
		i.t.Helper()
		command, failed := exec.CommandContext(i.ctx, b.Flagside, arguments...), bytes.Buffer{} // #nosec G204 -- the program under test
		command.Stderr = &failed
		out, err := command.Output()
		if err != nil {
			i.t.Errorf("flagside %v: %v\n%s%s", arguments, err, out, failed.Bytes())
		}
		return out
	}
	exported := run("audit", "export", "--environment", environment, "--admin", "http://"+p.admin, "--token-file", p.process.TokenFile)
	if err := os.WriteFile(file, exported, 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.t.Logf("%s", run("audit", "verify", "--file", file, "--trust-file", filepath.Join(b.Keys(), "trust")))
}

// sidecar is a place for one, which keeps its addresses and its files.
type sidecar struct {
	t                      *testing.T
	ofrep, management, dir string

	mu        sync.Mutex
	process   *process.Sidecar
	replacing bool
	value     int
	answers   int
}

func (s *sidecar) start(ctx context.Context, b process.Binaries, nats string) {
	s.t.Helper()
	started, err := b.StartSidecar(environment, nats, s.dir, s.ofrep, s.management)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(started.Kill)
	if err := started.AwaitReady(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process, s.replacing = started, false
}

func (s *sidecar) replace(ctx context.Context, b process.Binaries, nats string) {
	s.t.Helper()
	s.mu.Lock()
	s.replacing = true
	running := s.process
	s.mu.Unlock()
	if err := running.Stop(20 * time.Second); err != nil {
		s.t.Fatalf("%v\n%s", err, running.Output())
	}
	s.start(ctx, b, nats)
}

// ask asks without a break. Only while the sidecar is replaced may there be no answer; what is answered always has a value, and never an older one.
func (s *sidecar) ask(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		asked := s.process
		s.mu.Unlock()
		answer, err := asked.Evaluate(ctx, counter.Key, `{}`)
		if ctx.Err() != nil {
			return
		}
		s.note(asked, answer, err)
		time.Sleep(2 * time.Millisecond)
	}
}

func (s *sidecar) note(asked *process.Sidecar, answer process.Answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if !s.replacing && asked == s.process {
			s.t.Errorf("a sidecar that is not replaced: %v", err)
		}
		return
	}
	s.answers++
	value, wrong := strconv.Atoi(string(answer.Value))
	if wrong != nil || value < s.value {
		s.t.Errorf("HTTP %d, %s %s, after %d", answer.HTTPStatus, answer.Value, answer.ErrorCode, s.value)
		return
	}
	s.value = value
}

func (s *sidecar) last() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

func (s *sidecar) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Output()
}

// conditions returns the codes in /status.
func (s *sidecar) conditions(ctx context.Context) []string {
	status, err := s.process.Status(ctx)
	if err != nil {
		return nil
	}
	var codes []string
	all, _ := status["conditions"].([]any)
	for _, c := range all {
		condition, _ := c.(map[string]any)
		code, _ := condition["code"].(string)
		codes = append(codes, code)
	}
	return codes
}
