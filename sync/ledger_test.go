package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/faultnet"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

func openLedger(tb testing.TB, c *flagsync.Conn, name writer.LedgerName, copies int) *writer.Ledger {
	tb.Helper()
	var j *writer.Ledger
	patiently(tb, func(ctx context.Context) (err error) {
		j, err = writer.OpenLedger(ctx, c, name, copies)
		return err
	})
	return j
}

// records returns the bodies of all records from a sequence on.
func records(tb testing.TB, j *writer.Ledger, from uint64) []string {
	tb.Helper()
	var bodies []string
	patiently(tb, func(ctx context.Context) error {
		bodies = nil
		for record, err := range j.Read(ctx, from) {
			if err != nil {
				return err
			}
			bodies = append(bodies, string(record.Body))
		}
		return nil
	})
	return bodies
}

func TestLedgerAppendsAndReads(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for name, which := range map[string]writer.LedgerName{"ledger": writer.LedgerOf(environment), "control": writer.ControlLedger()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := openLedger(t, l.conn, which, 1)
			want := records(t, j, 0)
			base := j.Head().Sequence
			for i := range 5 {
				body := fmt.Sprintf(`{"n":%d}`, i)
				sequence, err := j.Append(t.Context(), base, fmt.Sprint(name, i), []byte(body))
				if err != nil || sequence <= base {
					t.Fatalf("record %d: %d, %v", i, sequence, err)
				}
				want, base = append(want, body), sequence
			}
			other := openLedger(t, connect(t, l.server.URL()), which, 1)
			if diff := cmp.Diff(want, records(t, other, 0)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want[len(want)-1:], records(t, other, base)); diff != "" {
				t.Errorf("the newest (-want +got):\n%s", diff)
			}
			if other.Head() != j.Head() || other.Head().Sequence != base {
				t.Errorf("heads %s and %s, want %d", j.Head(), other.Head(), base)
			}
			r, err := openLedger(t, l.conn, which, 1).Record(t.Context(), base)
			if err != nil || string(r.Body) != want[len(want)-1] || r.OpID != name+"4" || r.Digest != j.Head().Digest {
				t.Errorf("record %d: %+v, %v", base, r, err)
			}
			if sequence, err := other.Append(t.Context(), base, "next", []byte(`1`)); err != nil || sequence <= base {
				t.Errorf("after what another one wrote: %d, %v", sequence, err)
			}
			if found := other.Foreign(); found.Messages != 0 {
				t.Errorf("noise is %s", found)
			}
		})
	}
}

func TestLedgerConflict(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	first, err := j.Append(t.Context(), 0, "one", []byte(`1`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), 0, "two", []byte(`2`)); !errors.Is(err, writer.ErrConflict) {
		t.Errorf("a second record at the beginning: %v, want a conflict", err)
	}
	if again, err := j.Append(t.Context(), 0, "one", []byte(`1`)); err != nil || again != first {
		t.Errorf("the same again: %d, %v, want %d", again, err, first)
	}
	if _, err := j.Append(t.Context(), 99, "three", []byte(`3`)); !errors.Is(err, changelog.ErrDifferentHistory) {
		t.Errorf("after a record that is not there: %v", err)
	}
	for what, body := range map[string]string{"no JSON": `{`, "too large": `"` + strings.Repeat("x", writer.MaxRecord) + `"`, "nothing": ""} {
		if _, err := j.Append(t.Context(), first, what, []byte(body)); err == nil || errors.Is(err, writer.ErrUndecided) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	if got := records(t, j, 0); len(got) != 1 {
		t.Errorf("records %v, want one", got)
	}
}

// A record whose acknowledgement does not come is undecided, and repeating it tells what became of it.
func TestLedgerUndecided(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	proxies, through := proxied(t, l.server.URL())
	c := connect(t, through)
	eventually(t, func() (bool, string) { return c.Connected(), "the connection through the proxy" })
	j := openLedger(t, c, writer.LedgerOf(environment), 1)
	proxies[0].Set(faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := j.Append(ctx, 0, "op", []byte(`1`))
		done <- err
	}()
	direct := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	eventually(t, func() (bool, string) { return len(records(t, direct, 0)) == 1, "the record to be stored" })
	cancel()
	if err := <-done; !errors.Is(err, writer.ErrUndecided) {
		t.Errorf("without an answer: %v, want undecided", err)
	}
	proxies[0].Set(faultnet.Faults{})
	patiently(t, func(ctx context.Context) error {
		_, err := j.Append(ctx, 0, "op", []byte(`1`))
		return err
	})
	if got := records(t, direct, 0); len(got) != 1 {
		t.Errorf("records %v, want one", got)
	}
}

// A journal that was replaced by one with fewer records is no longer read, as if nothing had been decided since: the error names the place.
func TestLedgerThatLostRecords(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.ControlLedger(), 1)
	var base uint64
	records(t, j, 0)
	base = j.Head().Sequence
	for _, op := range []string{"one", "two"} {
		var err error
		if base, err = j.Append(t.Context(), base, op, []byte(`1`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.server.Client(t).Request("$JS.API.STREAM.DELETE.CONTROL", nil, patience); err != nil {
		t.Fatal(err)
	}
	openLedger(t, l.conn, writer.ControlLedger(), 1)
	var got error
	for _, err := range j.Read(t.Context(), base+1) {
		got = err
	}
	if !errors.Is(got, flagsync.ErrUnreachable) || !strings.Contains(got.Error(), fmt.Sprintf("CONTROL ends at 0 and had a message at %d", base)) {
		t.Errorf("got %v", got)
	}
}

func TestLedgerNeedsItsStream(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	if _, err := writer.OpenLedger(t.Context(), l.conn, writer.LedgerOf("unknown"), 1); !errors.Is(err, flagsync.ErrStreamLost) {
		t.Errorf("an unknown environment: %v", err)
	}
	if _, err := writer.OpenLedger(t.Context(), l.conn, writer.LedgerName{}, 1); err == nil {
		t.Error("a journal without a name was opened")
	}
	if _, err := writer.OpenLedger(t.Context(), l.conn, writer.LedgerOf(environment), 2); err == nil {
		t.Error("a journal on two servers was opened")
	}
}

// Several writers that decide again after each conflict lose nothing and write nothing twice, and followers see the same order.
func TestLedgerWritersRace(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		l := newLog(t)
		ledgerRace(t, l.server.URL(), 1)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		servers, _ := newReplicated(t)
		ledgerRace(t, servers.URL(), replicas)
	})
}

func ledgerRace(t *testing.T, url string, copies int) {
	t.Helper()
	const writers = 4
	each := seeds(8, 250)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg, following sync.WaitGroup
	followed := make([][]string, 2)
	for i := range followed {
		j := openLedger(t, connect(t, url), writer.LedgerOf(environment), copies)
		followedAll, done := context.WithCancel(ctx)
		following.Go(func() {
			err := j.Follow(followedAll, 0, func(f writer.Record) error {
				if followed[i] = append(followed[i], string(f.Body)); len(followed[i]) == writers*each {
					done()
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for w := range writers {
		j := openLedger(t, connect(t, url), writer.LedgerOf(environment), copies)
		wg.Go(func() { writeRecords(t, j, w, each) })
	}
	wg.Wait()
	following.Wait()
	j := openLedger(t, connect(t, url), writer.LedgerOf(environment), copies)
	all := records(t, j, 0)
	seen := make(map[string]bool)
	for _, body := range all {
		seen[body] = true
	}
	if len(all) != writers*each || len(seen) != len(all) {
		t.Errorf("%d records, %d different, want %d", len(all), len(seen), writers*each)
	}
	for i := range followed {
		if diff := cmp.Diff(all, followed[i]); diff != "" {
			t.Errorf("follower %d (-want +got):\n%s", i, diff)
		}
	}
}

// writeRecords appends records, each until it is stored.
func writeRecords(t *testing.T, j *writer.Ledger, written, n int) {
	t.Helper()
	var base uint64
	for i := range n {
		for attempt := 0; ; attempt++ {
			for record, err := range j.Read(t.Context(), base+1) {
				if err != nil {
					break // the append tells
				}
				base = record.Sequence
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			sequence, err := j.Append(ctx, base, fmt.Sprint(written, "-", i, "-", attempt), fmt.Appendf(nil, `"%d-%d"`, written, i))
			cancel()
			if err == nil {
				base = sequence
				break
			}
			if !errors.Is(err, writer.ErrConflict) {
				t.Error(err)
				return
			}
		}
	}
}

// A journal has a keys note once, however many announce it at the same time.
func TestAKeysNoteIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		l := newLog(t)
		j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
		base := j.Head().Sequence
		var announcers sync.WaitGroup
		for range 8 {
			announcers.Go(func() {
				if err := j.Announce(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		announcers.Wait()
		if head := j.Head(); head.Sequence != base+1 {
			t.Fatalf("round %d: %d records, want %d: %q", round, head.Sequence, base+1, records(t, j, 0))
		}
	}
}
