package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// refused is the outcome of an append that returned an error: nothing was
// written.
const refused writer.OutcomeState = 0

// outcomes is what publishers were told about their changes, by op-id.
type outcomes struct {
	mu    sync.Mutex
	told  map[string]writer.OutcomeState
	bases map[*writer.Log]*bases // of each publisher
}

func newOutcomes() *outcomes {
	return &outcomes{told: make(map[string]writer.OutcomeState), bases: make(map[*writer.Log]*bases)}
}

// basesOf returns what a publisher knows.
func (o *outcomes) basesOf(own *writer.Log) *bases {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bases[own] == nil {
		o.bases[own] = new(bases)
	}
	return o.bases[own]
}

func (o *outcomes) note(op string, state writer.OutcomeState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told[op] = state
}

// count returns how many changes ended in a state.
func (o *outcomes) count(state writer.OutcomeState) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, s := range o.told {
		if s == state {
			n++
		}
	}
	return n
}

// append writes one change at the head, whatever that is, and notes the
// outcome.
func (o *outcomes) append(t *testing.T, own *writer.Log, op string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	basis, err := o.headOf(ctx, own)
	for err != nil {
		if ctx.Err() != nil {
			t.Errorf("%s: %v", op, err)
			return
		}
		basis, err = o.headOf(ctx, own)
	}
	o.appendAt(ctx, t, own, basis, op)
}

// headOf returns the documents at the head of a log.
func (o *outcomes) headOf(ctx context.Context, own *writer.Log) (writer.Basis, error) {
	head, err := own.Head(ctx)
	if err != nil {
		return nil, err
	}
	return o.basesOf(own).read(ctx, own, head)
}

func (o *outcomes) appendAt(ctx context.Context, t *testing.T, own *writer.Log, basis writer.Basis, op string) writer.OutcomeState {
	t.Helper()
	body := fmt.Sprintf(`{"by":%q}`, op)
	outcome, err := own.Append(ctx, basis, change(op, put("shared", body), put("flag-"+op[len(op)-1:], body)))
	if err != nil && !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("%s: %v", op, err)
	}
	o.note(op, outcome.State)
	return outcome.State
}

// verify compares what publishers were told with what stands in the log: what is
// committed stands there once, what is lost or was refused does not, and what is
// open at most once.
func (o *outcomes) verify(tb testing.TB, l *writer.Log, head changelog.Position) {
	tb.Helper()
	found := make(map[string]int)
	var chain changelog.Chain
	for r, err := range l.Read(tb.Context(), changelog.Position{}, head.Revision) {
		if err != nil {
			tb.Fatal(err)
		}
		if err := chain.Extend(r); err != nil {
			tb.Fatal(err)
		}
		if r.Index == 1 {
			found[r.OpID]++
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for op, state := range o.told {
		switch n := found[op]; {
		case state == writer.Committed && n != 1:
			tb.Errorf("%s is committed and stands in the log %d times, want once", op, n)
		case (state == writer.Lost || state == refused) && n != 0:
			tb.Errorf("%s was told that nothing of it was written (%s) and stands in the log", op, state)
		case n > 1:
			tb.Errorf("%s stands in the log %d times", op, n)
		}
	}
}
