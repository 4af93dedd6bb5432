package requests

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
)

// Governance is what people have decided about an environment: the sum of the events of its ledger. The zero value is not useful, see
// NewGovernance. It is not safe for concurrent use; Requests that it returns are.
type Governance struct {
	requests   map[string]Request
	unfinished map[string]bool // ids of those that something can happen to by itself
	risk       risk.Settings
	lifecycle  lifecycle.Policy
	told       map[string]lifecycle.Told // of flags that are not active
	automatic  map[string]string         // ids of the newest requests that a lifecycle policy opened, by the key of the flag
	versions   map[string]Versions       // of sources that publishers follow, by their names
	written    writtenToday
	sequence   uint64
	gap        bool               // records are missing before those that come now
	newest     changelog.Position // of the log, as far as an event has named it
}

// NewGovernance returns what holds in an environment before anything was decided.
func NewGovernance(environment string) *Governance {
	return &Governance{
		requests: make(map[string]Request), unfinished: make(map[string]bool), risk: risk.DefaultSettings(environment),
		lifecycle: lifecycle.DefaultPolicy(), told: make(map[string]lifecycle.Told), automatic: make(map[string]string),
		versions: make(map[string]Versions),
	}
}

// Request returns a change request.
func (g *Governance) Request(id string) (Request, bool) {
	r, ok := g.requests[id]
	return r, ok
}

// Requests returns all change requests, the oldest first.
func (g *Governance) Requests() []Request {
	return slices.SortedFunc(maps.Values(g.requests), func(a, b Request) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID))
	})
}

// Unfinished returns the change requests that are not final, in any order.
func (g *Governance) Unfinished() []Request {
	list := make([]Request, 0, len(g.unfinished))
	for id := range g.unfinished {
		list = append(list, g.requests[id])
	}
	return list
}

// WaitingOf counts the change requests of an author that are not ended.
func (g *Governance) WaitingOf(author string) (n int) {
	for id := range g.unfinished {
		if g.requests[id].Proposal.Author.ID == author {
			n++
		}
	}
	return n
}

// Risk returns what is risky.
func (g *Governance) Risk() risk.Settings { return g.risk }

// Written returns how many bytes the author of an event has added to the ledger on the day of the event, of what counts.
func (g *Governance) Written(e Event) int { return g.written.of(e) }

// Newest returns the newest position of the log that an event has named, zero if none has.
func (g *Governance) Newest() changelog.Position { return g.newest }

// Sequence is that of the newest event, 0 if there is none.
func (g *Governance) Sequence() uint64 { return g.sequence }

// Evolve adds the next event. An event that does not fit what happened before is an error, and changes nothing.
func (g *Governance) Evolve(sequence uint64, e Event) error {
	if err := g.evolve(sequence, e); err != nil && !g.gap {
		return fmt.Errorf("event %d: %w", sequence, err)
	}
	g.sequence = sequence
	g.written.add(e)
	if e.Position != nil && e.Position.Newer(g.newest) {
		g.newest = *e.Position
	}
	return nil
}

// Gap tells that records are missing, which a repair of the ledger left behind. Events that continue what they said change nothing from
// now on.
func (g *Governance) Gap() { g.gap = true }

// Pass goes on to a record that is no event.
func (g *Governance) Pass(sequence uint64) { g.sequence = sequence }

func (g *Governance) evolve(sequence uint64, e Event) error {
	if e.Type == EventRefused || e.Type == EventUnauthenticated || e.Type.onEnvironment() {
		return nil
	}
	if e.Type.OnLifecycle() {
		return g.evolveLifecycle(e)
	}
	if e.Type == EventSourceVersion {
		return g.takeUp(e)
	}
	if e.Type == EventRisk {
		if e.Risk == nil {
			return fmt.Errorf("%s says nothing", e.Type)
		}
		g.risk = *e.Risk
		return nil
	}
	before, known := g.requests[e.Request]
	if known == (e.Type == EventOpened || e.Type == EventEpochBegun) {
		return fmt.Errorf("%s of request %q, which is %q", e.Type, e.Request, before.Status)
	}
	after, err := before.evolve(e)
	if err != nil {
		return err
	}
	after.Changed = e.At
	if e.Proposal != nil {
		after.Proposed = sequence
	}
	if e.Type == EventCommented {
		after.Commented = append(slices.Clip(after.Commented), sequence)
	}
	if after.Ended() && !before.Ended() {
		after = after.forget()
	}
	g.requests[e.Request] = after
	if e.Type == EventOpened {
		g.noteAutomatic(after)
	}
	if after.Waits() {
		g.unfinished[e.Request] = true
	} else {
		delete(g.unfinished, e.Request)
	}
	return nil
}
