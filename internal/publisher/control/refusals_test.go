package control_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
)

// Anyone who is refused again and again does not fill the ledger: what is too much is counted, and becomes one fact.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	o := one.options(nil)
	o.Authorize = func(access.Question) access.Answer { return access.Answer{} }
	strict := control.NewService(o)
	const attempts = 50
	put := control.Put{ID: flagID("f"), Body: flagBody("on", ""), If: absent()}
	for range attempts {
		if _, err := strict.Do(t.Context(), person("mallory"), put); !isRefused(err, control.CauseForbidden) {
			t.Fatal(err)
		}
	}
	if _, err := strict.Do(t.Context(), person("trudy"), put); !isRefused(err, control.CauseForbidden) {
		t.Fatal(err)
	}
	strict.Summarize(t.Context(), time.Unix(1, 0).UTC())
	strict.Summarize(t.Context(), time.Unix(1, 0).UTC())
	facts, refused, by := 0, uint64(0), map[string]int{}
	for fact, err := range one.journal.Read(t.Context(), 1) {
		e, decoding := control.DecodeEvent(fact.Body)
		if err != nil || decoding != nil || e.Type != control.EventRefused {
			t.Fatalf("%+v, %v, %v", e, err, decoding)
		}
		facts++
		refused += max(e.Count, 1)
		by[e.By]++
	}
	if facts > 15 || refused != attempts+1 || by["trudy"] != 1 || by["mallory"] == 0 {
		t.Errorf("%d facts tell of %d refusals, by %v", facts, refused, by)
	}
}

// Reads that are refused become one fact a minute for each who was refused, and one for those who are too many to be named.
func TestRefusedReadsAreSummarized(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	refusal := &control.Refusal{Cause: control.CauseForbidden, Action: &control.RefusedAction{Action: access.Read}}
	const readers, each = 25, 40
	for reader := range readers {
		for range each {
			one.NoteRefused(t.Context(), person(fmt.Sprint("reader ", reader)), refusal)
		}
	}
	one.Summarize(t.Context(), time.Unix(1, 0).UTC())
	one.Summarize(t.Context(), time.Unix(1, 0).UTC())
	counts := map[string]uint64{}
	facts := 0
	for fact, err := range one.journal.Read(t.Context(), 1) {
		e, decoding := control.DecodeEvent(fact.Body)
		if err != nil || decoding != nil || e.Type != control.EventRefused || (e.By != "") != (e.Refusal != nil && e.Refusal.Action == access.Read) {
			t.Fatalf("%+v, %v, %v", e, err, decoding)
		}
		facts++
		counts[e.By] += e.Count
	}
	if facts != 21 || counts["reader 0"] != each || counts["reader 19"] != each || counts[""] != 5*each {
		t.Errorf("%d facts: %v", facts, counts)
	}
}

// Who opens a request twice at once under one key, through two publishers, has opened one; and the key is for all that was proposed.
func TestOpeningUnderOneKey(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	replicas := []*replica{newReplica(t, url), newReplica(t, url)}
	author := person("author")
	for round := range 20 {
		author.Key = fmt.Sprint("k", round)
		proposing := control.Proposing{Command: control.Put{ID: flagID("g"), Body: flagBody("on", ""), If: absent()}}
		var opened [2]control.Request
		var errs [2]error
		var wg sync.WaitGroup
		for i, r := range replicas {
			wg.Go(func() { opened[i], errs[i] = r.Open(t.Context(), author, proposing) })
		}
		wg.Wait()
		if errs != [2]error{} || opened[0].ID != opened[1].ID {
			t.Fatalf("round %d: opened %s and %s: %v", round, opened[0].ID, opened[1].ID, errs)
		}
		proposing.ApplyAt = time.Now().Add(time.Hour)
		if _, err := replicas[0].Open(t.Context(), author, proposing); !isRefused(err, control.CauseKeyReused) {
			t.Fatalf("round %d: another time under the same key: %v", round, err)
		}
		if _, err := replicas[0].Govern(t.Context(), author, control.Rebase{Request: opened[0].ID, Proposing: proposing}); err != nil {
			t.Fatal(err)
		}
		proposing.ApplyAt = time.Time{}
		if r, err := replicas[1].Open(t.Context(), author, proposing); err != nil || r.ID != opened[0].ID {
			t.Fatalf("round %d: opened again after it was made again: %v", round, err)
		}
	}
}

// A patch with as many members as its document takes no longer than both have bytes.
func TestPatchOfManyMembers(t *testing.T) {
	t.Parallel()
	many := func(prefix string) []byte {
		var b strings.Builder
		for i := range 50_000 {
			fmt.Fprintf(&b, `,"%s%05d":1`, prefix, i)
		}
		return []byte("{" + b.String()[1:] + "}")
	}
	began := time.Now()
	merged, err := control.Merge(many("a"), many("b"))
	if took := time.Since(began); err != nil || len(merged) < 1_000_000 || took > 3*time.Second {
		t.Errorf("%d bytes after %s, %v", len(merged), took, err)
	}
}
