package webhook

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
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

func (p *past) RequestBreaksGlass(string) bool { return false }

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
