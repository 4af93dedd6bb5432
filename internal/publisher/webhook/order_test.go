package webhook

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

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
