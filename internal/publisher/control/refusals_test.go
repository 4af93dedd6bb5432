package control_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

// Being refused again and again does not fill the ledger: what is too much is counted, and becomes one event.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	o := one.options(nil)
	o.Access = fakeAccess{authorize: func(access.Question) access.Answer { return access.Answer{} }}
	strict := control.NewService(o)
	const attempts = 50
	put := decide.Put{ID: statetest.FlagID("f"), Body: statetest.FlagBody("on", ""), If: absent()}
	for range attempts {
		if _, err := strict.Do(t.Context(), person("mallory"), put); !isRefused(err, decide.CauseForbidden) {
			t.Fatal(err)
		}
	}
	if _, err := strict.Do(t.Context(), person("trudy"), put); !isRefused(err, decide.CauseForbidden) {
		t.Fatal(err)
	}
	strict.Summarize(t.Context(), time.Unix(1, 0).UTC())
	strict.Summarize(t.Context(), time.Unix(1, 0).UTC())
	events, refused, by := 0, uint64(0), map[string]int{}
	for record, err := range one.journal.Read(t.Context(), 1) {
		e, decoding := requests.DecodeEvent(record.Body)
		if err != nil || decoding != nil || e.Type != requests.EventRefused {
			t.Fatalf("%+v, %v, %v", e, err, decoding)
		}
		events++
		refused += max(e.Count, 1)
		by[e.By]++
	}
	if events > 15 || refused != attempts+1 || by["trudy"] != 1 || by["mallory"] == 0 {
		t.Errorf("%d events tell of %d refusals, by %v", events, refused, by)
	}
}

// Reads that are refused become one event a minute for each who was refused, and one for those who are too many to be named.
func TestRefusedReadsAreSummarized(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	refusal := &decide.Refusal{Cause: decide.CauseForbidden, Action: &requests.RefusedAction{Action: access.Read}}
	const readers, each = 25, 40
	for reader := range readers {
		for range each {
			one.NoteRefused(t.Context(), person(fmt.Sprint("reader ", reader)), refusal)
		}
	}
	one.Summarize(t.Context(), time.Unix(1, 0).UTC())
	one.Summarize(t.Context(), time.Unix(1, 0).UTC())
	counts := map[string]uint64{}
	events := 0
	for record, err := range one.journal.Read(t.Context(), 1) {
		e, decoding := requests.DecodeEvent(record.Body)
		if err != nil || decoding != nil || e.Type != requests.EventRefused || (e.By != "") != (e.Refusal != nil && e.Refusal.Action == access.Read) {
			t.Fatalf("%+v, %v, %v", e, err, decoding)
		}
		events++
		counts[e.By] += e.Count
	}
	if events != 21 || counts["reader 0"] != each || counts["reader 19"] != each || counts[""] != 5*each {
		t.Errorf("%d events: %v", events, counts)
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
		proposing := decide.ProposalSpec{Command: decide.Put{ID: statetest.FlagID("g"), Body: statetest.FlagBody("on", ""), If: absent()}}
		var opened [2]requests.Request
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
		if _, err := replicas[0].Open(t.Context(), author, proposing); !isRefused(err, decide.CauseKeyReused) {
			t.Fatalf("round %d: another time under the same key: %v", round, err)
		}
		if _, err := replicas[0].HandleRequest(t.Context(), author, decide.Rebase{Request: opened[0].ID, ProposalSpec: proposing}); err != nil {
			t.Fatal(err)
		}
		proposing.ApplyAt = time.Time{}
		if r, err := replicas[1].Open(t.Context(), author, proposing); err != nil || r.ID != opened[0].ID {
			t.Fatalf("round %d: opened again after it was rebased: %v", round, err)
		}
	}
}
