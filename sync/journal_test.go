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
)

func openJournal(tb testing.TB, c *flagsync.Conn, name flagsync.JournalName, copies int) *flagsync.Journal {
	tb.Helper()
	var j *flagsync.Journal
	patiently(tb, func(ctx context.Context) (err error) {
		j, err = flagsync.OpenJournal(ctx, c, name, copies)
		return err
	})
	return j
}

// facts returns the bodies of all facts from a sequence on.
func facts(tb testing.TB, j *flagsync.Journal, from uint64) []string {
	tb.Helper()
	var bodies []string
	patiently(tb, func(ctx context.Context) error {
		bodies = nil
		for fact, err := range j.Read(ctx, from) {
			if err != nil {
				return err
			}
			bodies = append(bodies, string(fact.Body))
		}
		return nil
	})
	return bodies
}

func TestJournalAppendsAndReads(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for name, which := range map[string]flagsync.JournalName{"ledger": flagsync.Ledger(environment), "control": flagsync.Control()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := openJournal(t, l.conn, which, 1)
			var base uint64
			var want []string
			for i := range 5 {
				body := fmt.Sprintf(`{"n":%d}`, i)
				sequence, err := j.Append(t.Context(), base, fmt.Sprint(name, i), []byte(body))
				if err != nil || sequence <= base {
					t.Fatalf("fact %d: %d, %v", i, sequence, err)
				}
				want, base = append(want, body), sequence
			}
			other := openJournal(t, connect(t, l.server.URL()), which, 1)
			if diff := cmp.Diff(want, facts(t, other, 0)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want[4:], facts(t, other, base)); diff != "" {
				t.Errorf("the newest (-want +got):\n%s", diff)
			}
			if sequence, err := other.Append(t.Context(), base, "next", []byte(`1`)); err != nil || sequence <= base {
				t.Errorf("after what another one wrote: %d, %v", sequence, err)
			}
		})
	}
}

func TestJournalConflict(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openJournal(t, l.conn, flagsync.Ledger(environment), 1)
	first, err := j.Append(t.Context(), 0, "one", []byte(`1`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), 0, "two", []byte(`2`)); !errors.Is(err, flagsync.ErrConflict) {
		t.Errorf("a second fact at the beginning: %v, want a conflict", err)
	}
	if again, err := j.Append(t.Context(), 0, "one", []byte(`1`)); err != nil || again != first {
		t.Errorf("the same again: %d, %v, want %d", again, err, first)
	}
	if _, err := j.Append(t.Context(), first, "one", []byte(`1`)); err == nil {
		t.Error("one op-id names two facts")
	}
	if _, err := j.Append(t.Context(), 99, "three", []byte(`3`)); !errors.Is(err, changelog.ErrDifferentHistory) {
		t.Errorf("after a fact that is not there: %v", err)
	}
	for what, body := range map[string]string{"no JSON": `{`, "too large": `"` + strings.Repeat("x", flagsync.MaxFact) + `"`, "nothing": ""} {
		if _, err := j.Append(t.Context(), first, what, []byte(body)); err == nil || errors.Is(err, flagsync.ErrUndecided) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	if got := facts(t, j, 0); len(got) != 1 {
		t.Errorf("facts %v, want one", got)
	}
}

// A fact whose acknowledgement does not come is undecided, and repeating it tells what became of it.
func TestJournalUndecided(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	proxies, through := proxied(t, l.server.URL())
	c := connect(t, through)
	eventually(t, func() (bool, string) { return c.Connected(), "the connection through the proxy" })
	j := openJournal(t, c, flagsync.Ledger(environment), 1)
	proxies[0].Set(faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := j.Append(ctx, 0, "op", []byte(`1`))
		done <- err
	}()
	direct := openJournal(t, l.conn, flagsync.Ledger(environment), 1)
	eventually(t, func() (bool, string) { return len(facts(t, direct, 0)) == 1, "the fact to be stored" })
	cancel()
	if err := <-done; !errors.Is(err, flagsync.ErrUndecided) {
		t.Errorf("without an answer: %v, want undecided", err)
	}
	proxies[0].Set(faultnet.Faults{})
	patiently(t, func(ctx context.Context) error {
		_, err := j.Append(ctx, 0, "op", []byte(`1`))
		return err
	})
	if got := facts(t, direct, 0); len(got) != 1 {
		t.Errorf("facts %v, want one", got)
	}
}

func TestJournalNamesDamage(t *testing.T) {
	t.Parallel()
	zero := strings.Repeat("0", 64)
	for name, data := range map[string]string{
		"no JSON":         `{`,
		"another version": `{"v":2,"op":"x","prev":"` + zero + `","fact":1}`,
		"unknown member":  `{"v":1,"op":"x","prev":"` + zero + `","fact":1,"more":1}`,
		"broken chain":    `{"v":1,"op":"x","prev":"` + zero + `","fact":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			j := openJournal(t, l.conn, flagsync.Ledger(environment), 1)
			if _, err := j.Append(t.Context(), 0, "one", []byte(`1`)); err != nil {
				t.Fatal(err)
			}
			if _, err := l.server.Client(t).Request("ledger.prod.records", []byte(data), patience); err != nil {
				t.Fatal(err)
			}
			err := j.Follow(t.Context(), 0, func(flagsync.Fact) error { return nil })
			if !errors.Is(err, flagsync.ErrDamaged) || !strings.Contains(err.Error(), "LEDGER_prod at 2") {
				t.Errorf("got %v, want damage at LEDGER_prod 2", err)
			}
		})
	}
}

// A journal that was replaced by one with fewer facts is no longer read, as if nothing had been decided since: the error names the place.
func TestJournalThatLostFacts(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openJournal(t, l.conn, flagsync.Control(), 1)
	var base uint64
	for _, op := range []string{"one", "two"} {
		var err error
		if base, err = j.Append(t.Context(), base, op, []byte(`1`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.server.Client(t).Request("$JS.API.STREAM.DELETE.CONTROL", nil, patience); err != nil {
		t.Fatal(err)
	}
	openJournal(t, l.conn, flagsync.Control(), 1)
	var got error
	for _, err := range j.Read(t.Context(), base+1) {
		got = err
	}
	if !errors.Is(got, flagsync.ErrUnreachable) || !strings.Contains(got.Error(), fmt.Sprintf("CONTROL ends at 0 and had a fact at %d", base)) {
		t.Errorf("got %v", got)
	}
}

func TestJournalNeedsItsStream(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	if _, err := flagsync.OpenJournal(t.Context(), l.conn, flagsync.Ledger("unknown"), 1); !errors.Is(err, flagsync.ErrStreamLost) {
		t.Errorf("an unknown environment: %v", err)
	}
	if _, err := flagsync.OpenJournal(t.Context(), l.conn, flagsync.JournalName{}, 1); err == nil {
		t.Error("a journal without a name was opened")
	}
	if _, err := flagsync.OpenJournal(t.Context(), l.conn, flagsync.Ledger(environment), 2); err == nil {
		t.Error("a journal on two servers was opened")
	}
}

// Several writers that decide again after each conflict lose nothing and write nothing twice, and followers see the same order.
func TestJournalWritersRace(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		l := newLog(t)
		journalRace(t, l.server.URL(), 1)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		servers, _ := newReplicated(t)
		journalRace(t, servers.URL(), replicas)
	})
}

func journalRace(t *testing.T, url string, copies int) {
	t.Helper()
	const writers = 4
	each := seeds(8, 250)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg, following sync.WaitGroup
	followed := make([][]string, 2)
	for i := range followed {
		j := openJournal(t, connect(t, url), flagsync.Ledger(environment), copies)
		followedAll, done := context.WithCancel(ctx)
		following.Go(func() {
			err := j.Follow(followedAll, 0, func(f flagsync.Fact) error {
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
		j := openJournal(t, connect(t, url), flagsync.Ledger(environment), copies)
		wg.Go(func() { writeFacts(t, j, w, each) })
	}
	wg.Wait()
	following.Wait()
	j := openJournal(t, connect(t, url), flagsync.Ledger(environment), copies)
	all := facts(t, j, 0)
	seen := make(map[string]bool)
	for _, body := range all {
		seen[body] = true
	}
	if len(all) != writers*each || len(seen) != len(all) {
		t.Errorf("%d facts, %d different, want %d", len(all), len(seen), writers*each)
	}
	for i := range followed {
		if diff := cmp.Diff(all, followed[i]); diff != "" {
			t.Errorf("follower %d (-want +got):\n%s", i, diff)
		}
	}
}

// writeFacts appends facts, each until it is stored.
func writeFacts(t *testing.T, j *flagsync.Journal, writer, n int) {
	t.Helper()
	var base uint64
	for i := range n {
		for attempt := 0; ; attempt++ {
			for fact, err := range j.Read(t.Context(), base+1) {
				if err != nil {
					break // the append tells
				}
				base = fact.Sequence
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			sequence, err := j.Append(ctx, base, fmt.Sprint(writer, "-", i, "-", attempt), fmt.Appendf(nil, `"%d-%d"`, writer, i))
			cancel()
			if err == nil {
				base = sequence
				break
			}
			if !errors.Is(err, flagsync.ErrConflict) {
				t.Error(err)
				return
			}
		}
	}
}

func FuzzJournalFact(f *testing.F) {
	f.Add([]byte(`{"v":1,"op":"x","prev":"` + strings.Repeat("0", 64) + `","fact":{"a":1}}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := flagsync.RecodeFact(data)
		if err != nil {
			return
		}
		twice, err := flagsync.RecodeFact(again)
		if err != nil || string(twice) != string(again) {
			t.Errorf("%q became %q, then %q, %v", data, again, twice, err)
		}
	})
}
