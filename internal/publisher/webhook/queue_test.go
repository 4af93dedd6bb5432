package webhook

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/queue"
)

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
