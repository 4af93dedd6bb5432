package webhook

import (
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

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
