package flagsync_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// fill appends records "1" to "n".
func fill(tb testing.TB, j *writer.Ledger, n int) {
	tb.Helper()
	for i := range n {
		body := fmt.Sprint(i + 1)
		if _, err := j.Append(tb.Context(), j.Head().Sequence, "op"+body, []byte(body)); err != nil {
			tb.Fatal(err)
		}
	}
}

// bodies returns what a journal has from a sequence on, repairs as "repair", and
// how reading ended.
func bodies(tb testing.TB, j *writer.Ledger, from uint64) (got []string, err error) {
	tb.Helper()
	for r, err := range j.Read(tb.Context(), from) {
		if err != nil {
			return got, err
		}
		body := string(r.Body)
		if changelog.RecordType(r.Body) == changelog.RecordRepaired {
			body = "repair"
		}
		got = append(got, body)
	}
	return got, nil
}

func order() writer.LedgerRepair {
	return writer.LedgerRepair{Actor: "operator", Reason: "the disk was broken"}
}

// A record that is missing stops the journal until it is repaired; then everything before and after is read.
func TestLedgerWithAHole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lacks      []uint64
		before     []string // what is read before the repair
		after      []string
		wantDamage string
	}{
		"in the middle":  {[]uint64{3}, []string{"1", "2"}, []string{"1", "2", "4", "5", "6", "repair"}, "record 4 follows record 3"},
		"at the start":   {[]uint64{1, 2}, nil, []string{"3", "4", "5", "6", "repair"}, "record 3 follows record 2"},
		"at the end":     {[]uint64{6}, []string{"1", "2", "3", "4", "5"}, []string{"1", "2", "3", "4", "5", "repair"}, "no message at 6"},
		"more than once": {[]uint64{2, 5}, []string{"1"}, []string{"1", "3", "4", "6", "repair"}, "record 3 follows record 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			warm := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
			fill(t, warm, 6)
			natstest.Damage(t, l.server.Client(t), "LEDGER_prod", 6, c.lacks...)
			cold := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
			for range 2 {
				got, err := bodies(t, cold, 1)
				if diff := cmp.Diff(c.before, got); diff != "" || !errors.Is(err, writer.ErrDamaged) || !strings.Contains(err.Error(), c.wantDamage) {
					t.Errorf("before the repair: %v (-want +got):\n%s", err, diff)
				}
			}
			if err := cold.Follow(t.Context(), 1, func(writer.Record) error { return nil }); !errors.Is(err, writer.ErrDamaged) {
				t.Errorf("follow: %v, want ErrDamaged", err)
			}
			if _, err := cold.Append(t.Context(), cold.Head().Sequence, "x", []byte(`"x"`)); err == nil {
				t.Error("a record was appended over the damage")
			}
			done, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, order())
			if err != nil || done.Head.Sequence != 7 {
				t.Fatalf("repair: %+v, %v, want sequence 7", done, err)
			}
			after(t, l, cold, append(c.after, `"new"`))
			if got, err := bodies(t, warm, 7); err != nil || !slices.Equal(got, []string{"repair", `"new"`}) {
				t.Errorf("one that knew the journal goes on with %v, %v", got, err)
			}
		})
	}
}

// after appends a record, and compares what all read.
func after(t *testing.T, l *log, j *writer.Ledger, want []string) {
	t.Helper()
	if err := catchUp(t, j); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), j.Head().Sequence, "new", []byte(`"new"`)); err != nil {
		t.Fatal(err)
	}
	for what, reader := range map[string]*writer.Ledger{"the same": j, "a new one": openLedger(t, l.conn, writer.LedgerOf(environment), 1)} {
		got, err := bodies(t, reader, 1)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("after the repair, %s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	_, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, order())
	if !errors.Is(err, writer.ErrLedgerWhole) {
		t.Errorf("repaired again: %v, want ErrLedgerWhole", err)
	}
}

func catchUp(tb testing.TB, j *writer.Ledger) error {
	tb.Helper()
	_, err := bodies(tb, j, j.Head().Sequence+1)
	return err
}

// Noise that is gone is no hole.
func TestLedgerWithoutItsNoise(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fill(t, j, 1)
	msg := nats.NewMsg("ledger.prod.records")
	store(t, l.server.Client(t), msg)
	fill(t, j, 2)
	natstest.Damage(t, l.server.Client(t), "LEDGER_prod", 4, 2)
	if got, err := bodies(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 1); err != nil || len(got) != 3 {
		t.Errorf("%v, %v", got, err)
	}
}

// A signed record that cannot be read stops the journal, unless it is repaired.
func TestLedgerOfANewerVersion(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fill(t, j, 1)
	msg := nats.NewMsg("ledger.prod.records")
	msg.Data = []byte(`{"v":3}`)
	signature, err := trusttest.Default().Signer().SignRecord("LEDGER_prod", changelog.Anchor{Sequence: 2, Digest: changelog.Sum(msg.Data)})
	if err != nil {
		t.Fatal(err)
	}
	msg.Header.Set(changelog.ProofHeader, string(signature))
	store(t, l.server.Client(t), msg)
	if _, err := bodies(t, j, 1); !errors.Is(err, writer.ErrDamaged) || !errors.Is(err, changelog.ErrUnreadable) {
		t.Errorf("read: %v", err)
	}
	if _, err := j.Append(t.Context(), 1, "x", []byte(`"x"`)); err == nil {
		t.Error("a record was appended over what cannot be read")
	}
	if _, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, order()); err != nil {
		t.Fatal(err)
	}
	after(t, l, j, []string{"1", "repair", `"new"`})
}

// A journal that lacks a record that is named elsewhere takes nothing, until it is repaired: then the numbers of what is lost are not used again.
func TestLedgerWithACutEnd(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	warm := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fill(t, warm, 6)
	lost := warm.Head()
	natstest.Damage(t, l.server.Client(t), "LEDGER_prod", 3)

	cold := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	cold.Expect(changelog.Anchor{Sequence: 2, Digest: lost.Digest}) // anything lower does not matter
	cold.Expect(lost)
	if got, err := bodies(t, cold, 1); err != nil || len(got) != 3 {
		t.Errorf("read %v, %v", got, err)
	}
	_, err := cold.Append(t.Context(), 3, "x", []byte(`"x"`))
	if !errors.Is(err, writer.ErrLedgerCut) || !strings.Contains(err.Error(), lost.String()) || !strings.Contains(err.Error(), cold.Head().String()) {
		t.Errorf("append: %v, want ErrLedgerCut that names %s and %s", err, lost, cold.Head())
	}
	if _, err := bodies(t, warm, 7); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("one that knew the journal: %v", err)
	}
	if cold.Missing() != lost {
		t.Errorf("missing is %s, want %s", cold.Missing(), lost)
	}
	r := order()
	r.Missing = cold.Missing()
	done, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, r)
	if err != nil || done.Head.Sequence != 7 {
		t.Fatalf("repair: %+v, %v, want sequence 7", done, err)
	}
	if got, err := bodies(t, warm, 7); err != nil || !slices.Equal(got, []string{"repair"}) {
		t.Errorf("one that knew the journal goes on with %v, %v", got, err)
	}
	after(t, l, cold, []string{"1", "2", "3", "repair", "repair", "repair", "repair", `"new"`})
}

// A ledger whose stream is gone is made again by a repair, and by nothing else.
func TestLedgerThatIsGone(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fill(t, j, 2)
	if answer := api(t, l.server.Client(t), "STREAM.DELETE.LEDGER_prod", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	if _, err := bodies(t, j, 1); !errors.Is(err, flagsync.ErrStreamLost) {
		t.Errorf("read: %v, want ErrStreamLost", err)
	}
	r := order()
	r.Missing = j.Head()
	if _, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, r); err != nil {
		t.Fatal(err)
	}
	after(t, l, openLedger(t, l.conn, writer.LedgerOf(environment), 1), []string{"repair", "repair", "repair", `"new"`})
}

// An expected record that is there, or becomes known only by reading, stops nothing; a forged one with its number does.
func TestLedgerHasWhatIsExpected(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	written := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	reader := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fill(t, written, 2)
	reader.Expect(written.Head())
	if _, err := reader.Append(t.Context(), 2, "op", []byte(`3`)); err != nil {
		t.Error(err)
	}
	fresh := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	fresh.Expect(changelog.Anchor{Sequence: 2, Digest: changelog.Sum(nil)})
	if _, err := fresh.Append(t.Context(), 3, "op", []byte(`4`)); !errors.Is(err, writer.ErrLedgerCut) {
		t.Errorf("with another record at 2: %v, want ErrLedgerCut", err)
	}
}

// A repair is for publishers, and for a journal that needs one.
func TestRepairRefuses(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	fill(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 1)
	if _, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerOf(environment), 1, order()); !errors.Is(err, writer.ErrLedgerWhole) {
		t.Errorf("a whole journal: %v", err)
	}
	keyless := connectWith(t, flagsync.ConnectOptions{URL: l.server.URL()})
	if _, err := writer.RepairLedger(t.Context(), keyless, writer.LedgerOf(environment), 1, order()); !errors.Is(err, changelog.ErrUnsigned) {
		t.Errorf("without a key: %v", err)
	}
	if _, err := writer.RepairLedger(t.Context(), l.conn, writer.LedgerName{}, 1, order()); err == nil {
		t.Error("a journal without a name was repaired")
	}
}
