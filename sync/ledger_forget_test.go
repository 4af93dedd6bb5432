package flagsync_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// One that knew records that are lost, and noise behind them, reads after the repair what all others read.
func TestLedgerForgetsWhatIsLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end   uint64 // of what is left; 0 is a stream that is gone
		lacks []uint64
		want  []string
	}{
		"a cut end":       {3, nil, []string{"1", "2", "3", "repair", "repair", "repair", "repair", `"new"`}},
		"a hole":          {6, []uint64{3}, []string{"1", "2", "4", "5", "6", "repair", `"new"`}},
		"nothing is left": {0, nil, []string{"repair", "repair", "repair", "repair", "repair", "repair", "repair", `"new"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			warm := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
			fill(t, warm, 6)
			r := order()
			r.Missing = warm.Head()
			for range 3 {
				store(t, l.server.Client(t), &nats.Msg{Subject: "ledger.prod.records", Data: []byte("noise")})
			}
			if err := warm.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			natstest.Damage(t, l.server.Client(t), "LEDGER_prod", c.end, c.lacks...)
			if err := warm.Verify(t.Context()); len(c.lacks) == 0 && !errors.Is(err, writer.ErrLedgerCut) {
				t.Errorf("before the repair: %v, want ErrLedgerCut", err)
			}
			if _, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, r); err != nil {
				t.Fatal(err)
			}
			if err := warm.Verify(t.Context()); err != nil {
				t.Errorf("after the repair: %v", err)
			}
			after(t, l, warm, c.want)
		})
	}
}

// A repair tells what it keeps and what is lost, and a second one does not repeat the first.
func TestRepairTellsWhatItDid(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fill(t, j, 6)
	natstest.Damage(t, l.server.Client(t), "LEDGER_prod", 6, 3)
	repair := func(missing changelog.Anchor) writer.LedgerRepaired {
		t.Helper()
		r := order()
		r.Missing = missing
		done, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, r)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	sequences := func(anchors []changelog.Anchor) (all []uint64) {
		for _, a := range anchors {
			all = append(all, a.Sequence)
		}
		return all
	}
	done := repair(j.Head()) // which is kept
	if !done.Lacks.IsZero() {
		t.Errorf("it lacks %s", done.Lacks)
	}
	if diff := cmp.Diff([]changelog.Interval{{First: 3, Last: 3}}, done.Lost); diff != "" || !slices.Equal(sequences(done.Kept), []uint64{2, 6}) {
		t.Errorf("kept %v, lost (-want +got):\n%s", done.Kept, diff)
	}
	if answer := api(t, l.server.Client(t), "STREAM.DELETE.LEDGER_prod", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	if done := repair(changelog.Anchor{}); done.Head.Sequence != 1 || done.Kept != nil || done.Lost != nil {
		t.Errorf("a stream that is gone, of which nothing is known: %+v", done)
	}
	lacks := changelog.Anchor{Sequence: 9, Digest: changelog.Sum(nil)}
	done = repair(lacks)
	if diff := cmp.Diff([]changelog.Interval{{First: 2, Last: 9}}, done.Lost); diff != "" || done.Lacks != lacks || done.Head.Sequence != 10 {
		t.Errorf("%+v, lost (-want +got):\n%s", done, diff)
	}
}

// After a repair of CONTROL the list is what CONTROL has, wherever it was read before; an environment that is lost is adopted.
func TestEnvironmentsAfterARepair(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	warm, other := openEnvironments(t, l.server), openEnvironments(t, l.server)
	for _, e := range []*writer.Environments{warm, other} {
		if list, err := e.List(t.Context()); err != nil || len(list) != 1 {
			t.Fatalf("list: %v, %v", list, err)
		}
	}
	if answer := api(t, l.server.Client(t), "STREAM.DELETE.CONTROL", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	r := order()
	r.Missing = warm.Ledger().Head()
	if _, err := writer.RepairLedger(t.Context(), l.conn, writer.ControlLedger(), 1, r); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*writer.Environments{warm, other} {
		if list, err := e.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("list: %v, %v, want none", list, err)
		}
	}
	if _, _, err := warm.Adopt(t.Context(), "none", writer.Order{Actor: "operator"}); !errors.Is(err, flagsync.ErrEnvironmentUnknown) {
		t.Errorf("an environment without streams: %v, want ErrEnvironmentUnknown", err)
	}
	if _, _, err := warm.Adopt(t.Context(), environment, writer.Order{Actor: "operator"}); err != nil {
		t.Fatal(err)
	}
	if list, err := other.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
}
