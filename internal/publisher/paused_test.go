package publisher_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// One of two publishers is cut off in the middle of an append, before the server has it or before the acknowledgement is there, while the
// other one goes on writing the same flag. Who asked for the change is told that it is undecided, never that it failed, and the operation
// says in the end what the log says: nothing is written twice, and nothing that was acknowledged is lost.
func TestAnOperationTellsWhatBecameOfAPausedAppend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hold  faultnet.Faults
		state string
	}{
		"the acknowledgement is held": {
			hold: faultnet.Faults{From: `{"stream":"FLAGS_prod"`, ToClient: faultnet.Rule{Action: faultnet.Hold}}, state: "committed",
		},
		"the append is held": {
			hold: faultnet.Faults{From: "HPUB flags.prod.", ToServer: faultnet.Rule{Action: faultnet.Hold}}, state: "lost",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPausing(t)
			op := p.pausedPut(c.hold)
			p.goOn(3)
			p.proxy.Set(faultnet.Faults{})
			p.goOn(1)
			var o api.Operation
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
}

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
	p.told[p.other.put("prod", "f", doc("first"), absent()).Match.String()] = "first"
	return p
}

func doc(description string) []byte {
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
		p.told[p.other.put("prod", "f", doc(description), seen).Match.String()] = description
	}
}

// verify compares what was told with the log.
func (p *pausing) verify(o api.Operation) {
	p.t.Helper()
	history, err := p.other.client.History(p.t.Context(), "prod", flagID("f"), api.HistoryQuery{})
	if err != nil {
		p.t.Fatal(err)
	}
	if o.State == "committed" {
		p.told[o.Revision] = "paused"
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
		if paused := flag.Description == "paused"; paused != (change.OpID == o.OpID) {
			p.t.Errorf("revision %s is %q by operation %s, the one that was paused is %s", change.Revision, flag.Description, change.OpID, o.OpID)
		}
	}
	if diff := cmp.Diff(p.told, written); diff != "" {
		p.t.Errorf("what was told and what stands in the log (-told +log):\n%s", diff)
	}
}

// pausedPut writes the flag through the proxy, which holds it up, and returns the op-id of the change, which is undecided.
func (p *pausing) pausedPut(hold faultnet.Faults) (op string) {
	p.t.Helper()
	_, current, err := p.one.client.Document(p.t.Context(), "prod", flagID("f"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.proxy.Set(hold)
	_, _, err = p.one.client.Put(p.t.Context(), "prod", flagID("f"), doc("paused"), current, api.ChangeHeaders{})
	problem, refused := errors.AsType[*client.Error](err)
	if !refused || problem.Status != http.StatusServiceUnavailable || problem.OpID == "" {
		p.t.Fatalf("a paused append is answered with %v", err)
	}
	return problem.OpID
}
