package control_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// promotion is a promotion of more flags than one transaction takes, under a key.
type promotion struct {
	*replica

	source *statetest.State
	ids    []document.ID
	origin decide.Origin
}

func newPromotion(r *replica) *promotion {
	p := &promotion{replica: r, source: statetest.New(), origin: owner()}
	p.origin.Key = "promotion"
	var documents []document.Document
	for i := range 2100 {
		key := fmt.Sprintf("f%04d", i)
		documents = append(documents, statetest.FlagDocument(key, statetest.FlagBody("on", "")))
		p.ids = append(p.ids, statetest.FlagID(key))
	}
	p.source.Put(r.t, documents...)
	return p
}

// transfer derives the promotion, as it is each time that it is asked for.
func (p *promotion) transfer() decide.Transfer {
	p.t.Helper()
	target, err := p.Current(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	t := decide.Promote(p.source, target, p.ids)
	t.Source = "promote all"
	return t
}

// interrupt carries out the first of three parts.
func (p *promotion) interrupt() {
	p.t.Helper()
	crashing := control.NewService(p.options(crashAfter(2)))
	if _, err := crashing.Do(p.t.Context(), p.origin, p.transfer()); !errors.Is(err, errCrashed) {
		p.t.Fatal(err)
	}
}

// A promotion that was interrupted goes on under its key after both environments have changed, is not something else under its key, and is
// not done again once it is complete.
func TestInterruptedPromotion(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	p := newPromotion(newReplica(t, url))
	other := newReplica(t, url)
	p.interrupt()
	another := p.transfer()
	another.Source = "promote some"
	if _, err := other.Do(t.Context(), p.origin, another); !isRefused(err, decide.CauseKeyReused) {
		t.Errorf("another promotion under the key: %v", err)
	}
	outdated := p.transfer()
	p.force("f0000", "changed since it was promoted")
	p.force("f2000", "made since it was to be promoted")
	if _, err := other.Do(t.Context(), p.origin, outdated); !isRefused(err, decide.CausePreconditionFailed) {
		t.Errorf("what was derived before: %v", err)
	}
	p.source.Put(t, statetest.FlagDocument("f1500", statetest.FlagBody("off", "")))
	resumed, err := other.Do(t.Context(), p.origin, p.transfer())
	if err != nil || resumed.Written != 1101 { // and what was changed since
		t.Fatalf("%d documents were written by the second, %v", resumed.Written, err)
	}
	if left := p.transfer().Changes; len(left) != 0 {
		t.Errorf("%d documents differ still", len(left))
	}
	p.force("f0000", "changed since")
	again, err := p.Do(t.Context(), p.origin, p.transfer())
	if err != nil || again.Position != resumed.Position || again.Written != 2101 {
		t.Errorf("again: %+v, %v, want %+v", again, err, resumed)
	}
	if left := p.transfer().Changes; len(left) != 1 {
		t.Errorf("%d documents differ, want the one that was changed since", len(left))
	}
}

// Where others have done the rest, the answer tells what was written under the key.
func TestInterruptedPromotionThatOthersHaveCompleted(t *testing.T) {
	t.Parallel()
	p := newPromotion(newReplica(t, newEnvironment(t)))
	p.interrupt()
	if _, err := p.Do(t.Context(), owner(), p.transfer()); err != nil {
		t.Fatal(err)
	}
	again, err := p.Do(t.Context(), p.origin, p.transfer())
	if err != nil || again.Written != changelog.MaxEntries || again.OpID == "" || again.Position.Revision != 2+changelog.MaxEntries {
		t.Errorf("%+v, %v", again, err)
	}
	if left := p.transfer().Changes; len(left) != 0 {
		t.Errorf("%d documents differ still", len(left))
	}
}

// brokenOffLog gives one entry more each time that it is read, and then fails.
type brokenOffLog struct {
	fakeLog

	from []uint64
}

func (l *brokenOffLog) Read(_ context.Context, after changelog.Position, to uint64) iter.Seq2[changelog.Record, error] {
	from := after.Revision + 1
	l.from = append(l.from, from)
	return func(yield func(changelog.Record, error) bool) {
		if !yield(changelog.Record{Entry: changelog.Entry{Epoch: statetest.Epoch, Revision: from, OpID: fmt.Sprint("op-", from), Time: time.Now()}}, nil) || from == to {
			return
		}
		yield(changelog.Record{}, errors.New("too slow"))
	}
}

// A log that is too long for one reading is read on where reading was broken off.
func TestReadingTheKeysGoesOn(t *testing.T) {
	t.Parallel()
	l := &brokenOffLog{fakeLog: fakeLog{t: t, state: statetest.New()}}
	l.state.Revision = 5
	last := l.state.Position().Revision
	s := control.NewService(control.Options{
		Store: storeOf(l, l.state), Follower: fakeFollower{},
	})
	var o control.Operation
	var err error
	for range last {
		o, err = s.Operation(t.Context(), "op-1")
	}
	if err != nil || o.State != writer.Committed {
		t.Errorf("after %d readings %v: %+v, %v", len(l.from), l.from, o, err)
	}
	for i, from := range l.from {
		if from != uint64(i)+1 {
			t.Errorf("reading %d begins with revision %d", i+1, from)
		}
	}
}
