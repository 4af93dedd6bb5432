package flagsync_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/sync/writer"
)

// tear leaves a stream as a full disk leaves it that has torn its first messages: it counts them and has none. Whatever it held is gone.
func tear(tb testing.TB, c *nats.Conn, stream, subject string, messages int) {
	tb.Helper()
	natstest.Damage(tb, c, stream, 0)
	var places []uint64
	for range messages {
		places = append(places, store(tb, c, nats.NewMsg(subject)))
	}
	natstest.Damage(tb, c, stream, uint64(len(places)), places...)
}

// An environment whose log or ledger lost its first message to a full disk is created all the same, begins behind that, and is whole.
func TestCreateBehindATornStart(t *testing.T) {
	t.Parallel()
	for _, torn := range []int{1, 3} {
		server := newLog(t).server // its streams tell the settings
		c := server.Client(t)
		tear(t, c, "FLAGS_prod", "flags.prod.x", torn)
		tear(t, c, "LEDGER_prod", "ledger.prod.records", torn)
		tear(t, c, "CONTROL", "control.records", torn)
		first := uint64(torn) + 1

		e := openEnvironments(t, server)
		if _, err := e.Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
			t.Fatal(err)
		}
		if list, err := openEnvironments(t, server).List(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("list: %v, %v", list, err)
		}
		conn := connect(t, server.URL())
		if head, err := openLog(t, conn, 1).Head(t.Context()); err != nil || head.Revision != first+1 {
			t.Errorf("the log ends at %v, %v, want revision %d", head, err, first+1)
		}
		j := openLedger(t, conn, writer.LedgerOf(environment), 1)
		fill(t, j, 2)
		if head := j.Head().Sequence; head != first+1 {
			t.Errorf("the ledger ends at %d, want %d", head, first+1)
		}
		if got, err := bodies(t, openLedger(t, conn, writer.LedgerOf(environment), 1), 1); err != nil || len(got) != 2 {
			t.Errorf("the ledger has %v, %v", got, err)
		}
		if wrong, err := e.CheckStreams(t.Context(), []string{environment}); err != nil || len(wrong) > 0 {
			t.Errorf("the streams are wrong: %v, %v", wrong, err)
		}
	}
}

// A ledger that lost its first record and more than a full disk can tear is damaged, and so is one whose only record is named elsewhere.
func TestALostLedgerIsNotTorn(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	c := l.server.Client(t)
	fill(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 1)
	known := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	if err := catchUp(t, known); err != nil {
		t.Fatal(err)
	}
	named := known.Head()

	tear(t, c, "LEDGER_prod", "ledger.prod.records", 1)
	if _, err := bodies(t, known, 1); !errors.Is(err, writer.ErrDamaged) {
		t.Errorf("one that knew the record: %v", err)
	}
	told := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	told.Expect(named)
	if _, err := told.Append(t.Context(), 0, "x", []byte("1")); !errors.Is(err, writer.ErrLedgerCut) {
		t.Errorf("one that was told of the record: %v, want ErrLedgerCut", err)
	}
	tear(t, c, "LEDGER_prod", "ledger.prod.records", 1)
	store(t, c, nats.NewMsg("ledger.prod.x"))
	if _, err := bodies(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 1); !errors.Is(err, writer.ErrDamaged) {
		t.Errorf("one that lacks what stood before noise: %v, want ErrDamaged", err)
	}
	tear(t, c, "LEDGER_prod", "ledger.prod.records", 17)
	if _, err := bodies(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 1); !errors.Is(err, writer.ErrDamaged) {
		t.Errorf("one that lost 17 records: %v, want ErrDamaged", err)
	}
}
