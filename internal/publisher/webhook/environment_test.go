package webhook

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

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
