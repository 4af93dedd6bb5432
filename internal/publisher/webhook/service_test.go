package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/queue"
)

// past is a log and a ledger in memory, which all publishers of a test have in common.
type past struct {
	mu      sync.Mutex
	epoch   changelog.Epoch
	records []changelog.Record
	events  []control.RecordedEvent
	now     time.Time

	archived bool
	created  time.Time
	between  func() // called once, after the state was asked for and before the end of the ledger is
}

// environments returns the one there is.
func (p *past) environments() []Environment {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := Environment{Name: natstest.Environment, Source: p, Created: p.created}
	if p.archived {
		e.Source = nil
	}
	return []Environment{e}
}

// is has the environment be archived or not.
func (p *past) is(archived bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.archived = archived
}

func newPast() *past {
	now := time.Now()
	return &past{epoch: changelog.NewEpoch(now, ""), now: now}
}

// happen appends a change or an event, and returns its id.
func (p *past) happen(r *rand.Rand) string { return p.happenIn(r.IntN(2) == 0) }

// happenIn appends an event to the ledger, or a change to the log, and returns its id.
func (p *past) happenIn(ledger bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = time.Now()
	if ledger {
		e := control.RecordedEvent{Sequence: uint64(len(p.events) + 1), Digest: changelog.Sum([]byte(p.now.String()))}
		e.Type, e.At, e.By = "request.commented", p.now, "p1"
		p.events = append(p.events, e)
		return fmt.Sprintf("LEDGER_prod-%d-%s", e.Sequence, e.Digest.String()[:8])
	}
	return p.change(document.KindFlag)
}

// change appends a change. The lock is held.
func (p *past) change(kind document.Kind) string {
	revision := uint64(1)
	if n := len(p.records); n > 0 {
		revision = p.records[n-1].Revision + 1
	}
	r := changelog.Record{Entry: changelog.Entry{
		Revision: revision, Epoch: p.epoch, OpID: fmt.Sprint(p.epoch, revision), Kind: kind, Key: "f", Index: 1, Count: 1, Time: p.now, Actor: "p1",
	}}
	p.records = append(p.records, r)
	return r.Position().Token().String()
}

// changeMany appends a change of so many flags, and returns its id.
func (p *past) changeMany(keys []string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = time.Now()
	first := len(p.records)
	for n, key := range keys {
		p.change(document.KindFlag)
		r := &p.records[first+n]
		r.Key, r.OpID, r.Index, r.Count = key, p.records[first].OpID, n+1, len(keys)
	}
	return p.records[len(p.records)-1].Position().Token().String()
}

// beginAgain puts the log back to an older copy, and begins a new epoch.
func (p *past) beginAgain(keep int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch = changelog.NewEpoch(p.now, p.epoch)
	p.records = slices.Clip(p.records[:min(keep, len(p.records))])
	p.change(document.KindEpoch)
}

// restore puts log and ledger back to older copies, and begins a new epoch.
func (p *past) restore(records, events int) {
	p.beginAgain(records)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = slices.Clip(p.events[:events])
}

func (p *past) copies() ([]changelog.Record, []control.RecordedEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records, p.events
}

func (p *past) Backwards(_ context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	records, _ := p.copies()
	return func(yield func(changelog.Record, error) bool) {
		for _, r := range slices.Backward(records) {
			if r.Revision < before && !yield(r, nil) {
				return
			}
		}
	}
}

func (p *past) History(context.Context, document.ID) iter.Seq2[changelog.Record, error] { return nil }

func (p *past) Events(_ context.Context, from uint64) iter.Seq2[control.RecordedEvent, error] {
	_, events := p.copies()
	return func(yield func(control.RecordedEvent, error) bool) {
		for _, e := range events {
			if e.Sequence >= from && !yield(e, nil) {
				return
			}
		}
	}
}

func (p *past) RequestDocuments(string) []document.ID { return nil }
func (p *past) RequestBreaksGlass(string) bool        { return false }

// known is a state under a name that it has no method of.
type known = decide.State

// at is a state of which only the position is asked for.
type at struct {
	known

	position changelog.Position
}

func (a at) Position() changelog.Position { return a.position }

func (p *past) Known() (decide.State, error) {
	records, _ := p.copies()
	if len(records) == 0 {
		return at{}, nil
	}
	return at{position: records[len(records)-1].Position()}, nil
}

func (p *past) KnownLedgerEnd() uint64 {
	_, events := p.copies()
	return uint64(len(events))
}

func (p *past) LedgerEnd(context.Context) (uint64, error) {
	p.mu.Lock()
	between := p.between
	p.between = nil
	p.mu.Unlock()
	if between != nil {
		between()
	}
	return p.KnownLedgerEnd(), nil
}

// secretText is the secret of the webhooks of these tests.
const secretText = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// inbox is a receiver that verifies what it gets and remembers the ids.
type inbox struct {
	t       *testing.T
	address string

	mu     sync.Mutex
	ids    []string
	answer func(n int) int // status of the nth request; nil is always 204
	asked  int
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{t: t}
	i.address = serve(t, i.receive)
	return i
}

func (i *inbox) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its publisher was killed
	}
	library, _ := standard.NewWebhook(secretText)
	if err := library.Verify(body, r.Header); err != nil {
		i.t.Errorf("a signature: %v", err)
	}
	var e cloudevents.Event
	if err := json.Unmarshal(body, &e); err != nil || e.Validate() != nil || e.ID() != r.Header.Get(idHeader) {
		i.t.Errorf("an event: %v, %v\n%s", err, e.Validate(), body)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	status := http.StatusNoContent
	if i.answer != nil {
		status = i.answer(i.asked)
	}
	i.asked++
	if status/100 == 2 || status == http.StatusGatewayTimeout { // of which the answer was lost
		i.ids = append(i.ids, e.ID())
	}
	w.WriteHeader(status)
}

// answers has it answer so from now on.
func (i *inbox) answers(answer func(n int) int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *inbox) got() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.ids)
}

// await waits until everything has arrived, and checks that it came in order, first times counted.
func (i *inbox) await(want []string, logs *logtest.Log) {
	i.t.Helper()
	waiting.Until(i.t, fmt.Sprintf("%d events arrive", len(want)), func() bool { return len(firsts(i.got())) >= len(want) }, logs)
	if got := firsts(i.got()); !slices.Equal(got, want) {
		i.t.Fatalf("got  %v\nwant %v", got, want)
	}
}

// firsts leaves out what came before.
func firsts(ids []string) (first []string) {
	seen := make(map[string]bool)
	for _, id := range ids {
		if !seen[id] {
			first = append(first, id)
		}
		seen[id] = true
	}
	return first
}

// webhookFile writes a file with a webhook for each address, named a, b, and so on.
func webhookFile(t *testing.T, more string, addresses ...string) string {
	t.Helper()
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("webhooks:\n")
	for n, address := range addresses {
		fmt.Fprintf(&text, "- {name: %c, url: %q, secretFiles: [secret], allowPrivate: true%s}\n", 'a'+n, address+"/hook", more)
	}
	for name, content := range map[string]string{"secret": secretText, "webhooks.yaml": text.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "webhooks.yaml")
}

// replica is the part of a publisher that delivers.
type replica struct {
	*Service

	registry *prometheus.Registry

	stop func() // as a publisher does that ends
	kill func() // as one that is killed: nothing reaches NATS from then on
}

// quick is the timing of these tests.
func quick() timing {
	return timing{
		look: 20 * time.Millisecond, settle: 50 * time.Millisecond, keep: time.Hour, keepFor: time.Hour, ackWait: time.Second, reopen: 50 * time.Millisecond, finish: time.Minute, progress: 50 * time.Millisecond,
	}
}

func startReplica(t *testing.T, url string, p *past, file string, logs *logtest.Log, when timing) *replica {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Name: t.Name(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	logger := zerolog.New(logs)
	config, err := Open(file, logger)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	s, err := New(Options{
		File: config, Installation: "i", Replicas: 1, Environments: p.environments,
		NameOf:  func(id string) (string, bool) { return "Ada", id == "p1" },
		Metrics: registry, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.timing = when
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, conn) }()
	end := func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		conn.Close()
	}
	r := &replica{Service: s, registry: registry, stop: sync.OnceFunc(end)}
	r.kill = func() {
		conn.Close()
		r.stop()
	}
	t.Cleanup(r.stop)
	return r
}

// counted returns the webhooks of which something is counted.
func (r *replica) counted(t *testing.T) (names []string) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "webhook" {
					names = append(names, l.GetValue())
				}
			}
		}
	}
	return names
}

// ready waits until the webhook has its consumer: what happens from now on is for it.
func (r *replica) ready(t *testing.T, logs *logtest.Log) {
	t.Helper()
	waiting.Until(t, "the webhooks begin", func() bool {
		all := r.all()
		return len(all) > 0 && !slices.ContainsFunc(all, func(d *runningDelivery) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.consumer == nil
		})
	}, logs)
}

// Publishers are killed and started, the receiver answers 500, loses its answers and is slow, the log begins again: everything arrives, in order, and the
// queue has each event once.
func TestEverythingArrivesInOrder(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(7, 7))
	in := newInbox(t)
	file := webhookFile(t, "", in.address)
	p.happen(r) // what was before is for no webhook
	first := startReplica(t, server.URL(), p, file, &logs, quick())
	first.ready(t, &logs)
	replicas := []*replica{first, startReplica(t, server.URL(), p, file, &logs, quick())}
	in.answers(func(n int) int {
		switch n % 7 {
		case 2:
			return http.StatusInternalServerError
		case 4:
			return http.StatusGatewayTimeout
		case 5:
			time.Sleep(30 * time.Millisecond)
		}
		return http.StatusOK
	})
	var want []string
	for round := range 4 {
		for range 5 {
			want = append(want, p.happen(r))
			time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
		}
		switch round {
		case 1:
			waiting.Until(t, "the changes are copied", func() bool { return copied(t, server.URL(), quick()) == len(want) }, &logs)
			p.beginAgain(2) // which lacks changes that were told
		case 2:
			server.Restart(t)
		}
		victim := r.IntN(2)
		replicas[victim].kill()
		replicas[victim] = startReplica(t, server.URL(), p, file, &logs, quick())
	}
	in.await(want, &logs)
	if n := copied(t, server.URL(), quick()); n != len(want) {
		t.Errorf("the queue has %d events, of %d", n, len(want))
	}
}

// A change of as many documents with keys as long as there can be is more than NATS takes. It is told with less, and keeps none from what comes after it.
func TestTheLargestChangeIsTold(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(13, 13))
	in := newInbox(t)
	replica := startReplica(t, server.URL(), p, webhookFile(t, "", in.address), &logs, quick())
	replica.ready(t, &logs)
	var keys []string
	for n := range 1000 {
		keys = append(keys, fmt.Sprintf("%04d%s", n, strings.Repeat("\x01", document.MaxKey-4)))
	}
	in.await([]string{p.changeMany(keys), p.happen(r)}, &logs)
}

// copied returns how many events the queue has.
func copied(t *testing.T, url string, when timing) (n int) {
	t.Helper()
	q := openQueue(t, url, when)
	for behind := uint64(0); ; {
		m, found, err := q.First(t.Context(), behind)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			return n
		}
		s, err := decodeStored(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if s.Event != nil {
			n++
		}
		if strings.Contains(string(m.Data), "Ada") {
			t.Errorf("a name is in the queue: %s", m.Data)
		}
		behind = m.Sequence
	}
}

func openQueue(t *testing.T, url string, when timing) *queue.Queue {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Name: t.Name(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	q, err := queue.Open(t.Context(), conn, queue.Options{
		Stream: flagsync.EventsStream(natstest.Environment), Subject: flagsync.EventsSubject(natstest.Environment), MaxAge: when.keepFor, Replicas: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// What happens while no publisher runs is told by the next one, and a webhook that does not work keeps no other from its events.
func TestWhatHappensMeanwhileIsTold(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(8, 8))
	good, bad := newInbox(t), newInbox(t)
	bad.answers(func(int) int { return http.StatusGone })
	file := webhookFile(t, "", good.address, bad.address)
	first := startReplica(t, server.URL(), p, file, &logs, quick())
	first.ready(t, &logs)
	want := []string{p.happen(r)}
	good.await(want, &logs)
	first.stop()
	for range 10 {
		want = append(want, p.happen(r))
	}
	second := startReplica(t, server.URL(), p, file, &logs, quick())
	good.await(want, &logs)
	waiting.Until(t, "the other fails", func() bool {
		list := second.List(t.Context())
		return len(list) == 2 && len(list[1].Environments) == 1 && strings.Contains(list[1].Environments[0].LastError, "410 Gone")
	}, &logs)
	list := second.List(t.Context())
	// The first event may come again: the replica that had delivered it was stopped at once.
	if e := list[0].Environments[0]; e.State != "ok" || e.Waiting != 0 || e.Delivered != 10 && e.Delivered != 11 {
		t.Errorf("the webhook that works: %+v", e)
	}
	if e := list[1].Environments[0]; e.State != "failing" || e.Waiting != 11 || e.OldestWaiting.IsZero() || e.FailingSince.IsZero() {
		t.Errorf("the webhook that does not: %+v", e)
	}
	if lines := second.Failing(time.Now()); len(lines) != 0 {
		t.Errorf("at once: %v", lines)
	}
	lines := second.Failing(time.Now().Add(failingAfter + time.Minute))
	if len(lines) != 1 || !strings.Contains(lines[0], "webhook b (http://127.0.0.1:") || !strings.Contains(lines[0], "11 events wait, the oldest for 6m") || strings.Contains(lines[0], "/hook") {
		t.Errorf("later: %v", lines)
	}
	if text := logs.String(); strings.Contains(text, "/hook") || strings.Contains(text, "MfKQ9r8") {
		t.Errorf("the log shows an address or a secret:\n%s", text)
	}
}

// Events that expire before the receiver had them are counted, and the next ones arrive.
func TestExpiredEventsAreToldOf(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(9, 9))
	in := newInbox(t)
	file := webhookFile(t, "", in.address)
	when := quick()
	when.keepFor = 2 * time.Second
	when.keep = 500 * time.Millisecond
	replica := startReplica(t, server.URL(), p, file, &logs, when)
	replica.ready(t, &logs)
	want := []string{p.happen(r)}
	in.await(want, &logs)
	in.answers(func(int) int { return http.StatusServiceUnavailable })
	for range 6 { // one of which is tried again and again
		p.happen(r)
	}
	waiting.Until(t, "all have expired", func() bool {
		return replica.all()[0].known().attempts > 1 && replica.List(t.Context())[0].Environments[0].Waiting <= 1 && copied(t, server.URL(), when) == 0
	}, &logs)
	in.answers(nil)
	waiting.Until(t, "the loss is told", func() bool {
		lost := 0
		for _, line := range replica.Lost(time.Now()) {
			var n int
			_, _ = fmt.Sscanf(line, "webhook a, environment prod: %d events expired before the receiver had them", &n)
			lost += n
		}
		return lost == 6
	}, &logs)
	if lines := replica.Lost(time.Now().Add(lossShown)); len(lines) != 0 {
		t.Errorf("a day later: %v", lines)
	}
	replica.stop() // and with it the breaker, which is open longer than events last here
	next := startReplica(t, server.URL(), p, file, &logs, when)
	in.await(append(want, p.happen(r)), &logs)
	if lines := next.Lost(time.Now()); len(lines) != 0 {
		t.Errorf("another loss: %v", lines)
	}
}

// A queue whose stream is deleted is made again, and goes on where it was.
func TestALostQueueIsMadeAgain(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(10, 10))
	in := newInbox(t)
	replica := startReplica(t, server.URL(), p, webhookFile(t, "", in.address), &logs, quick())
	replica.ready(t, &logs)
	want := []string{p.happen(r)}
	in.await(want, &logs)
	if _, err := natstest.ConnectPublishers(t, server.URL()).Request("$JS.API.STREAM.DELETE.EVENTS_prod", nil, waiting.Patience); err != nil {
		t.Fatal(err)
	}
	want = append(want, p.happen(r))
	in.await(want, &logs)
	if lines := replica.Lost(time.Now()); len(lines) != 1 || !strings.Contains(lines[0], "stream of events of environment prod is gone") {
		t.Errorf("%v", lines)
	}
}

// The file is read again: a new webhook gets what comes then, one that is gone gets nothing more, and one with another address goes on there.
func TestTheFileIsReadAgain(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(11, 11))
	before, after, added := newInbox(t), newInbox(t), newInbox(t)
	before.answers(func(int) int { return http.StatusBadGateway })
	file := webhookFile(t, "", before.address)
	replica := startReplica(t, server.URL(), p, file, &logs, quick())
	replica.ready(t, &logs)
	want := []string{p.happen(r)}
	waiting.Until(t, "it fails", func() bool { return !replica.all()[0].known().failing.IsZero() }, &logs)
	next, err := os.ReadFile(webhookFile(t, "", after.address, added.address))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, next, 0o600); err != nil {
		t.Fatal(err)
	}
	after.await(want, &logs)
	waiting.Until(t, "the new one begins", func() bool { return len(replica.all()) == 2 }, &logs)
	replica.ready(t, &logs)
	later := p.happen(r)
	after.await(append(want, later), &logs)
	added.await([]string{later}, &logs)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(next), "name: a", "name: c")), 0o600); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the one that is gone is not counted any more", func() bool {
		return !slices.Contains(replica.counted(t), "a") && slices.Contains(replica.counted(t), "c")
	}, &logs)
	if err := os.WriteFile(file, []byte("webhooks: [{name: x}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the mistake is found", func() bool { return replica.Refused() != nil }, &logs)
	last := p.happen(r)
	added.await([]string{later, last}, &logs)
}

// A change, and an event after it, which come while a publisher looks at one after the other, are told in their order however long that takes.
func TestASlowLookKeepsTheOrder(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p := natstest.Start(t), newPast()
	in := newInbox(t)
	replica := startReplica(t, server.URL(), p, webhookFile(t, "", in.address), &logs, quick())
	replica.ready(t, &logs)
	want := make(chan []string, 1)
	p.mu.Lock()
	p.between = func() {
		ids := []string{p.happenIn(false), p.happenIn(true)}
		time.Sleep(4 * quick().settle)
		want <- ids
	}
	p.mu.Unlock()
	first := p.happenIn(true)
	in.await(append([]string{first}, <-want...), &logs)
}

// After a restore from a backup, where the events that were copied are still there, sequences of the ledger come again. What they say then is told, with other
// ids.
func TestARestoredLedgerIsTold(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p := natstest.Start(t), newPast()
	in := newInbox(t)
	file := webhookFile(t, "", in.address)
	first := startReplica(t, server.URL(), p, file, &logs, quick())
	first.ready(t, &logs)
	var want []string
	for n := range 6 {
		want = append(want, p.happenIn(n%2 == 0))
	}
	in.await(want, &logs)
	first.stop()
	p.restore(2, 1)
	second := startReplica(t, server.URL(), p, file, &logs, quick())
	waiting.Until(t, "it has looked", func() bool { return strings.Contains(logs.String(), "the ledger ends before") }, &logs)
	for n := range 6 {
		want = append(want, p.happenIn(n%2 == 0))
	}
	in.await(want, &logs)
	second.stop()
}

// What happened while no webhook was there for longer than events are kept is for none, and is not copied.
func TestLongAgoIsNotCopied(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p := natstest.Start(t), newPast()
	in := newInbox(t)
	file := webhookFile(t, "", in.address)
	when := quick()
	when.keepFor = 2 * time.Second
	first := startReplica(t, server.URL(), p, file, &logs, when)
	first.ready(t, &logs)
	want := []string{p.happenIn(true)}
	in.await(want, &logs)
	first.stop()
	nats := natstest.ConnectPublishers(t, server.URL())
	waiting.Until(t, "the consumer is gone", func() bool {
		m, err := nats.Request("$JS.API.STREAM.INFO.EVENTS_prod", nil, waiting.Patience)
		return err == nil && strings.Contains(string(m.Data), `"consumer_count":0`)
	}, &logs)
	for range 5 {
		p.happenIn(false)
	}
	second := startReplica(t, server.URL(), p, file, &logs, when)
	second.ready(t, &logs)
	want = append(want, p.happenIn(true))
	in.await(want, &logs)
	if !strings.Contains(logs.String(), "events are kept for webhooks again, from now on") {
		t.Errorf("it was copied:\n%s", &logs)
	}
}

// A publisher that loses NATS while the receiver is down knows no longer that it is: another one may have delivered meanwhile.
func TestWhoHasGivenAnEventAwayKnowsOfNoFailure(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p := natstest.Start(t), newPast()
	in := newInbox(t)
	file := webhookFile(t, "", in.address)
	var proxies []*faultnet.Proxy
	var replicas []*replica
	for range 2 {
		proxy := faultnet.Start(t, strings.TrimPrefix(server.URL(), "nats://"))
		replica := startReplica(t, "nats://"+proxy.Addr(), p, file, &logs, quick())
		replica.ready(t, &logs)
		proxies, replicas = append(proxies, proxy), append(replicas, replica)
	}
	in.answers(func(int) int { return http.StatusBadGateway })
	want := []string{p.happenIn(true)}
	holder := -1
	waiting.Until(t, "one fails", func() bool {
		holder = slices.IndexFunc(replicas, func(r *replica) bool { return !r.all()[0].known().failing.IsZero() })
		return holder >= 0
	}, &logs)
	proxies[holder].Refuse(true)
	proxies[holder].Cut()
	in.answers(nil)
	in.await(want, &logs)
	waiting.Until(t, "it is no failure any more", func() bool {
		return !slices.ContainsFunc(replicas, func(r *replica) bool { return !r.all()[0].known().failing.IsZero() })
	}, &logs)
	proxies[holder].Refuse(false)
	in.await(append(want, p.happenIn(true)), &logs)
}

// An environment that is archived tells what it had at the end: by the publisher that ran then, and after a restart. Then nothing is left of it, until it is
// revived.
func TestAnArchivedEnvironmentTellsItsEnd(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(14, 14))
	in := newInbox(t)
	file := webhookFile(t, "", in.address)
	first := startReplica(t, server.URL(), p, file, &logs, quick())
	first.ready(t, &logs)
	want := []string{p.happen(r), p.happen(r)}
	p.is(true)
	in.await(want, &logs)
	nothing := func(replica *replica) func() bool { return func() bool { return len(replica.all()) == 0 } }
	waiting.Until(t, "nothing is left", nothing(first), &logs)
	if list := first.List(t.Context()); len(list) != 1 || len(list[0].Environments) != 0 {
		t.Errorf("the list: %+v", list)
	}

	p.is(false)
	in.answers(func(int) int { return http.StatusBadGateway })
	want = append(want, p.happen(r), p.happen(r))
	waiting.Until(t, "it fails", func() bool { all := first.all(); return len(all) == 1 && !all[0].known().failing.IsZero() }, &logs)
	p.is(true)
	waiting.Until(t, "the last events are copied", func() bool { return copied(t, server.URL(), quick()) == len(want) }, &logs)
	first.stop()
	in.answers(nil)
	second := startReplica(t, server.URL(), p, file, &logs, quick())
	in.await(want, &logs)
	waiting.Until(t, "nothing is left", nothing(second), &logs)
	second.stop()

	if _, err := natstest.ConnectPublishers(t, server.URL()).Request("$JS.API.STREAM.DELETE.EVENTS_prod", nil, waiting.Patience); err != nil {
		t.Fatal(err)
	}
	third := startReplica(t, server.URL(), p, file, &logs, quick())
	waiting.Until(t, "it is known", func() bool { third.mu.Lock(); defer third.mu.Unlock(); return len(third.feeds) == 1 }, &logs)
	waiting.Until(t, "nothing is left", nothing(third), &logs)
	if m, err := natstest.ConnectPublishers(t, server.URL()).Request("$JS.API.STREAM.INFO.EVENTS_prod", nil, waiting.Patience); err != nil || !strings.Contains(string(m.Data), "stream not found") {
		t.Errorf("the stream was made again: %s, %v", m.Data, err)
	}
}

// What happens in a new environment at once is told to a webhook that there was before, and not to one that comes later.
func TestANewEnvironmentTellsItsBeginning(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p, r := natstest.Start(t), newPast(), rand.New(rand.NewPCG(15, 15))
	old, added := newInbox(t), newInbox(t)
	p.created = time.Now().Add(time.Hour) // the webhook was there an hour before
	want := []string{p.happen(r), p.happen(r)}
	file := webhookFile(t, "", old.address)
	replica := startReplica(t, server.URL(), p, file, &logs, quick())
	old.await(want, &logs)
	p.mu.Lock()
	p.created = time.Now().Add(-time.Hour)
	p.mu.Unlock()
	next, err := os.ReadFile(webhookFile(t, "", old.address, added.address))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, next, 0o600); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the new one begins", func() bool { return len(replica.all()) == 2 }, &logs)
	replica.ready(t, &logs)
	later := p.happen(r)
	old.await(append(want, later), &logs)
	added.await([]string{later}, &logs)
}

// A webhook gets the types that it wants, and names of persons, which are looked up when it is told.
func TestTypesAndNames(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	server, p := natstest.Start(t), newPast()
	bodies := make(chan string, 10)
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	})
	replica := startReplica(t, server.URL(), p, webhookFile(t, ", format: text, events: [change]", address), &logs, quick())
	replica.ready(t, &logs)
	r := rand.New(rand.NewPCG(12, 12))
	for changes := 0; changes < 2; {
		if id := p.happen(r); !strings.HasPrefix(id, "LEDGER") {
			changes++
		}
	}
	for range 2 {
		select {
		case body := <-bodies:
			if !strings.HasPrefix(body, "prod: flags changed\n") || !strings.Contains(body, "By: Ada\n") {
				t.Errorf("%s", body)
			}
		case <-time.After(waiting.Patience):
			t.Fatalf("no event\n%s", &logs)
		}
	}
	waiting.Until(t, "nothing waits", func() bool { return replica.List(t.Context())[0].Environments[0].Waiting == 0 }, &logs)
	if len(bodies) != 0 {
		t.Errorf("another event: %s", <-bodies)
	}
	if err := replica.Test(t.Context(), "a", "p1"); err != nil {
		t.Error(err)
	}
	if body := <-bodies; !strings.HasPrefix(body, "test: test of a webhook\n") {
		t.Errorf("%s", body)
	}
	if err := replica.Test(t.Context(), "none", "p1"); err == nil {
		t.Error("a webhook that is not there was tried")
	}
}
