package publisher_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// One of two publishers is cut off in the middle of an append, before the server has it or before the acknowledgement is there, while the
// other one goes on writing the same flag. Who asked for the change is told that it is undecided, never that it failed, and the operation
// says in the end what the log says: nothing is written twice, and nothing that was acknowledged is lost.
func TestAnOperationTellsWhatBecameOfAPausedAppend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seen  string // by the server: what the publisher sent just before
		hold  faultnet.Faults
		state string
	}{
		"the acknowledgement is held": {
			seen: "flags.prod.>", hold: faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}}, state: "committed",
		},
		"the append is held": {
			seen: "$JS.API.STREAM.INFO.LEDGER_prod", hold: faultnet.Faults{ToServer: faultnet.Rule{Action: faultnet.Hold}}, state: "lost",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPausing(t)
			var op string
			for op == "" { // a beat may have been seen in place of the question before the append, or the append was quicker
				if p.attempts == 10 {
					t.Fatal("no append was ever undecided")
				}
				op = p.pausedPut(c.seen, c.hold)
			}
			p.goOn(3)
			p.proxy.Set(faultnet.Faults{})
			p.goOn(1)
			var o admin.Operation
			p.one.await("the operation to be decided", func() (decided bool) {
				var err error
				o, err = p.one.client.Operation(t.Context(), "prod", op)
				if err != nil {
					t.Fatal(err)
				}
				return o.State != "open"
			})
			if o.State != c.state {
				t.Errorf("the operation is %s, want %s", o.State, c.state)
			}
			p.goOn(1)
			p.verify(o)
		})
	}
}

// pausing is two publishers, one of them behind a proxy, who change one flag.
type pausing struct {
	t      *testing.T
	server *natstest.Server
	proxy  *faultnet.Proxy
	one    *running // through the proxy
	other  *running
	wrote  int               // documents of the other one
	told   map[string]string // documents that were acknowledged, by entity tag

	attempts int // to pause a change
}

// paused is the document of the last attempt.
func (p *pausing) paused() string { return fmt.Sprint("paused ", p.attempts) }

func newPausing(t *testing.T) *pausing {
	t.Helper()
	server := natstest.Start(t)
	proxy := faultnet.Start(t, strings.TrimPrefix(server.URL(), "nats://"))
	p := &pausing{
		t: t, server: server, proxy: proxy, told: make(map[string]string),
		one:   start(t, publisher.Options{NATS: "nats://" + proxy.Addr()}),
		other: start(t, publisher.Options{NATS: server.URL()}),
	}
	p.one.create("prod")
	p.other.await("the environment of the other publisher", func() bool {
		_, err := p.other.Control(t.Context(), "prod")
		return err == nil
	})
	p.told[p.other.put("prod", "f", document("first"), absent()).Match.String()] = "first"
	return p
}

// holdDelay is how long what is about to be held is on its way.
const holdDelay = 250 * time.Millisecond

func document(description string) []byte {
	return flagBody("on", `,"description":"`+description+`"`)
}

// goOn writes the flag through the publisher that is not disturbed.
func (p *pausing) goOn(times int) {
	p.t.Helper()
	for range times {
		_, seen, err := p.other.client.Document(p.t.Context(), "prod", flagID("f"))
		if err != nil {
			p.t.Fatal(err)
		}
		p.wrote++
		description := fmt.Sprint("other ", p.wrote)
		p.told[p.other.put("prod", "f", document(description), seen).Match.String()] = description
	}
}

// watch does something once the server has seen something, unless it is called off before.
func (p *pausing) watch(subject string, do func()) (callOff func()) {
	p.t.Helper()
	c := p.server.Client(p.t)
	sub, err := c.SubscribeSync(subject)
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		if _, err := sub.NextMsg(patience); err == nil {
			do()
		}
	})
	return func() {
		_ = sub.Unsubscribe() // fails when the server is gone
		watching.Wait()
	}
}

// verify compares what was told with the log.
func (p *pausing) verify(o admin.Operation) {
	p.t.Helper()
	history, err := p.other.client.History(p.t.Context(), "prod", flagID("f"))
	if err != nil {
		p.t.Fatal(err)
	}
	if o.State == "committed" {
		p.told[o.Revision] = p.paused()
	}
	written := make(map[string]string)
	for _, change := range history.Items {
		var flag struct {
			Description string `json:"description"`
		}
		if err := json.Unmarshal(change.Document, &flag); err != nil {
			p.t.Fatal(err)
		}
		written[change.Revision] = flag.Description
		if paused := flag.Description == p.paused(); paused != (change.OpID == o.OpID) {
			p.t.Errorf("revision %s is %q by operation %s, the one that was paused is %s", change.Revision, flag.Description, change.OpID, o.OpID)
		}
	}
	if diff := cmp.Diff(p.told, written); diff != "" {
		p.t.Errorf("what was told and what stands in the log (-told +log):\n%s", diff)
	}
}

// pausedPut writes the flag through the proxy, which holds what it is to hold as soon as the server has seen something. It returns the op-id
// of a change that is undecided, and "" for one that was surely not written because it never came so far, or surely was because nothing held it
// in time.
func (p *pausing) pausedPut(seen string, hold faultnet.Faults) (op string) {
	t := p.t
	t.Helper()
	p.attempts++
	_, current, err := p.one.client.Document(t.Context(), "prod", flagID("f"))
	if err != nil {
		t.Fatal(err)
	}
	delay := hold
	delay.ToClient.Action, delay.ToServer.Action = faultnet.Pass, faultnet.Pass
	if hold.ToClient.Action == faultnet.Hold {
		delay.ToClient.Delay = holdDelay
	}
	p.proxy.Set(delay)
	unwatch := p.watch(seen, func() { p.proxy.Set(hold) })
	_, written, err := p.one.client.Put(t.Context(), "prod", flagID("f"), document(p.paused()), current, "")
	unwatch()
	problem, refused := errors.AsType[*admin.Problem](err)
	switch {
	case err == nil:
		p.told[written.Match.String()] = p.paused()
		p.proxy.Set(faultnet.Faults{})
		return ""
	case !refused || problem.Status != http.StatusServiceUnavailable:
		t.Fatalf("a paused append is answered with %v", err)
	case problem.OpID == "":
		p.proxy.Set(faultnet.Faults{})
		p.one.await("the way to be open again", func() bool {
			service, err := p.one.Control(t.Context(), "prod")
			if err == nil {
				_, err = service.Current(t.Context())
			}
			return err == nil
		})
	}
	return problem.OpID
}
