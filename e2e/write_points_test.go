package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// writesOfApply are the claim, each entry, and the fact that they are applied.
const writesOfApply = 1 + several + 1

// What happens after a publisher has died while it applied a request.
const (
	anotherIsAsked = "another is asked"
	itIsRestarted  = "it is restarted"
	itIsWithdrawn  = "it is withdrawn"
	nobodyIsAsked  = "nobody is asked"
)

// A publisher is killed before each of its writes while it applies a request for several flags, and after each, before it is answered.
// Whatever happens then, the flags are changed all or none, once, with their record, and never if the request was withdrawn.
func TestPublisherDiesAtEveryWriteOfAnApply(t *testing.T) {
	t.Parallel()
	m := newMortal(t)
	m.countWrites()
	then := []string{anotherIsAsked, itIsRestarted, itIsWithdrawn, nobodyIsAsked}
	outcomes := map[string]int{}
	var left []death
	for write := 1; write <= writesOfApply; write++ {
		for i, sent := range []bool{false, true} {
			chosen := then
			if os.Getenv("FLAGSIDE_SOAK") == "" && write > 1 {
				chosen = []string{then[(write+i)%4], then[(write+i+2)%4]}
			}
			for _, next := range chosen {
				d := death{write: write, sent: sent, next: next}
				m.die(&d)
				if next == nobodyIsAsked {
					left = append(left, d)
				} else {
					outcomes[m.verifyDeath(d)]++
				}
			}
		}
	}
	for _, d := range left { // another publisher notices after a while
		outcomes[m.verifyDeath(d)]++
	}
	t.Logf("%v", outcomes)
	if outcomes[string(requests.Applied)] == 0 || outcomes[string(requests.Withdrawn)] == 0 || outcomes[string(requests.Open)] == 0 {
		t.Error("not every outcome was seen")
	}
}

// death is one way to die while a request is applied: before a write is sent, or after, before it is answered.
type death struct {
	write   int
	sent    bool
	next    string
	request string
}

func (d death) String() string {
	return fmt.Sprintf("write %d, sent %v, then %s", d.write, d.sent, d.next)
}

// claimed reports whether the claim had reached the server.
func (d death) claimed() bool { return d.write > 1 || d.sent }

// mortal is two publishers over one server: of one, everything passes a tap, so that it can be killed at any of its writes; the other stays.
type mortal struct {
	*proposals

	tap   *tap
	dying string // where the one that dies listens
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	address := strings.TrimPrefix(natstest.Start(t).URL(), "nats://")
	m := &mortal{tap: newTap(t, address)}
	var err error
	if s.publisher, err = binaries.StartPublisherOn(s.ctx, serverAt(address), s.admin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.publisher.Kill)
	s.createEnvironment("prod")
	m.proposals = newProposals(s)
	return m
}

func serverAt(address string) *process.Cluster {
	return &process.Cluster{Nodes: []*process.Node{{Client: address}}}
}

// reborn starts the publisher that dies, at an address of its own.
func (m *mortal) reborn() *process.Publisher {
	m.t.Helper()
	m.tap.arm("", nil, nil)
	m.dying = addresses(m.t, 1)[0] // another test may have taken the one of before
	p, err := binaries.StartPublisherOn(m.ctx, serverAt(m.tap.addr), m.dying)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(p.Kill)
	return p
}

// countWrites makes sure that no write of an apply is missed.
func (m *mortal) countWrites() {
	m.t.Helper()
	p := m.reborn()
	r := m.approved("counted")
	m.tap.arm(r.ID, nil, nil)
	r, err := m.client(m.dying, m.secrets[0]).ApplyRequest(m.ctx, "prod", r.ID, api.ChangeHeaders{})
	if err != nil || r.Status != string(requests.Applied) || m.tap.count() != writesOfApply {
		m.t.Fatalf("%s after %d writes, %v", r.Status, m.tap.count(), err)
	}
	p.Kill()
}

// killAt has a process die at a write with a mark.
func (m *mortal) killAt(p *process.Publisher, mark string, write int, sent bool) {
	m.tap.arm(mark, func(n int) {
		switch {
		case n == write && sent:
			m.tap.silence()
		case n == write:
			m.tap.hold()
			p.Kill()
		}
	}, func(n int) {
		if n == write && sent {
			m.tap.hold()
			p.Kill()
		}
	})
}

// awaitDeath waits until the process is gone, and the server has all that it has sent.
func (m *mortal) awaitDeath(p *process.Publisher) {
	m.t.Helper()
	err := process.Await(m.ctx, "waiting for the death of the publisher", func() bool {
		select {
		case <-p.Done():
			return m.tap.idle()
		default:
			return false
		}
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// die has a publisher die while it applies a request, and lets happen what is to happen then.
func (m *mortal) die(d *death) {
	m.t.Helper()
	name := strings.NewReplacer(" ", "-", ",", "").Replace(d.String())
	d.request = m.approved(name).ID
	p := m.reborn()
	m.killAt(p, d.request, d.write, d.sent)
	if _, err := m.client(m.dying, m.secrets[0]).ApplyRequest(m.ctx, "prod", d.request, api.ChangeHeaders{}); err == nil {
		m.t.Fatalf("%s: the publisher has answered", d)
	}
	m.awaitDeath(p)
	switch d.next {
	case itIsRestarted:
		p = m.reborn()
		again := m.client(m.dying, m.secrets[0])
		m.must(insist(m.proposals, func() (api.ChangeRequest, error) {
			return again.ApplyRequest(m.ctx, "prod", d.request, api.ChangeHeaders{})
		}))
		p.Kill()
	case itIsWithdrawn:
		_, err := insist(m.proposals, func() (api.ChangeRequest, error) {
			return m.author.WithdrawRequest(m.ctx, "prod", d.request, api.ChangeHeaders{})
		})
		if (err == nil) == d.claimed() {
			m.t.Errorf("%s: withdrawing: %v", d, err)
		}
		_, _ = insist(m.proposals, func() (api.ChangeRequest, error) {
			return m.author.ApplyRequest(m.ctx, "prod", d.request, api.ChangeHeaders{})
		})
	case anotherIsAsked:
		m.must(insist(m.proposals, func() (api.ChangeRequest, error) {
			return m.author.ApplyRequest(m.ctx, "prod", d.request, api.ChangeHeaders{})
		}))
	}
}

func (m *mortal) must(_ api.ChangeRequest, err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// verifyDeath compares what became of the request with the log, and returns it.
func (m *mortal) verifyDeath(d death) string {
	m.t.Helper()
	want := requests.Applied
	switch {
	case d.next == itIsWithdrawn && !d.claimed():
		want = requests.Withdrawn
	case d.next == nobodyIsAsked && !d.claimed():
		want = requests.Open
	}
	var r api.ChangeRequest
	err := process.Await(m.ctx, "waiting for the end of "+d.String(), func() bool {
		r, _ = m.author.Request(m.ctx, "prod", d.request)
		return r.Status == string(want)
	})
	if err != nil {
		m.t.Fatalf("%v: it is %q, want %s", err, r.Status, want)
	}
	m.verifyEntries(r)
	return r.Status
}

// A publisher is killed before the one write of a command, and after it, before it is answered. Asked again, another publisher has it done
// once.
func TestPublisherDiesAtTheWriteOfACommand(t *testing.T) {
	t.Parallel()
	m := newMortal(t)
	for name, begin := range map[string]func(key string) attempt{
		"toggle": m.toggling, "open": m.opening, "approve": m.approving, "withdraw": m.withdrawing,
	} {
		for _, sent := range []bool{false, true} {
			a := begin(fmt.Sprintf("%s-%v", name, sent))
			p := m.reborn()
			m.killAt(p, a.mark, 1, sent)
			if err := a.ask(m.client(m.dying, m.secrets[a.who])); err == nil {
				t.Fatalf("%s, sent %v: the publisher has answered", name, sent)
			}
			m.awaitDeath(p)
			if err := a.ask(m.client(m.admin, m.secrets[a.who])); err != nil && !(sent && a.once(err)) {
				t.Errorf("%s, sent %v, again: %v", name, sent, err)
			}
			if n, err := a.count(); n != 1 || err != nil {
				t.Errorf("%s, sent %v: it was done %d times, %v", name, sent, n, err)
			}
		}
	}
}

// attempt is a command that leads to one write, which has the mark.
type attempt struct {
	mark  string
	who   int // index of the secret
	ask   func(*client.Client) error
	once  func(error) bool    // whether the error tells that it was done already
	count func() (int, error) // how often it was done
}

func never(error) bool { return false }

func notOpen(err error) bool {
	problem, ok := errors.AsType[*client.Error](err)
	return ok && problem.Status == http.StatusConflict
}

func (m *mortal) toggling(key string) attempt {
	m.t.Helper()
	id := document.ID{Kind: document.KindFlag, Key: key}
	document := []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`)
	_, seen, err := m.author.Put(m.ctx, "prod", id, document, client.Precondition{Absent: true}, api.ChangeHeaders{})
	if err != nil {
		m.t.Fatal(err)
	}
	return attempt{
		mark: key, once: never,
		ask: func(c *client.Client) error {
			_, err := c.Toggle(m.ctx, "prod", key, false, seen, api.ChangeHeaders{IdempotencyKey: key})
			return err
		},
		count: func() (int, error) {
			history, err := m.author.History(m.ctx, "prod", id, api.HistoryQuery{})
			return len(history.Items) - 1, err
		},
	}
}

func (m *mortal) opening(key string) attempt {
	document := []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`)
	return attempt{
		mark: key, once: never,
		ask: func(c *client.Client) error {
			_, err := c.OpenRequest(m.ctx, "prod", api.NewRequest{
				Command: api.Command{Type: "put", Key: key, IfAbsent: true, Document: document},
			}, api.ChangeHeaders{IdempotencyKey: key})
			return err
		},
		count: func() (n int, err error) {
			all, err := m.author.AllRequests(m.ctx, "prod", api.RequestQuery{})
			for _, r := range all {
				if r.Changes[0].Key == key {
					n++
				}
			}
			return n, err
		},
	}
}

func (m *mortal) approving(key string) attempt {
	m.t.Helper()
	r := m.opened(key)
	return attempt{
		mark: r.ID, who: 1, once: notOpen,
		ask: func(c *client.Client) error {
			_, err := c.ApproveRequest(m.ctx, "prod", r.ID, r.Hash, api.ChangeHeaders{})
			return err
		},
		count: func() (int, error) {
			now, err := m.author.Request(m.ctx, "prod", r.ID)
			return len(now.Approvals), err
		},
	}
}

func (m *mortal) withdrawing(key string) attempt {
	m.t.Helper()
	r := m.opened(key)
	return attempt{
		mark: r.ID, once: notOpen,
		ask: func(c *client.Client) error {
			_, err := c.WithdrawRequest(m.ctx, "prod", r.ID, api.ChangeHeaders{})
			return err
		},
		count: func() (int, error) {
			now, err := m.author.Request(m.ctx, "prod", r.ID)
			return map[string]int{string(requests.Withdrawn): 1}[now.Status], err
		},
	}
}
