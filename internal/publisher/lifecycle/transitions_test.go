package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

// Whatever happens to flags, what was told adds up: afterwards nothing is left to be told, each flag was told where it is, and only transitions to
// another stage were told. A second publisher whose clock is behind tells nothing.
func TestTransitionsAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		settings := lifecycle.Settings{ExpiringWithin: 14 * day, StaleAfter: 90 * day}
		now, rules, revision := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), eval.New(), uint64(0)
		told := map[string]lifecycle.Told{}
		written := map[string]time.Time{}
		old := func(at time.Time) (unchanged uint64) { // revisions are written in the order of time
			for key, when := range written {
				if f := rules.Flag(key); f != nil && !when.After(at.Add(-settings.StaleAfter)) {
					unchanged = max(unchanged, f.Revision())
				}
			}
			return unchanged
		}
		for range 60 {
			now = now.Add(time.Duration(r.IntN(20)) * day)
			for range r.IntN(3) {
				revision++
				d := document.Document{Kind: document.KindFlag, Key: fmt.Sprint("f", r.IntN(5)), Revision: revision}
				if r.IntN(4) > 0 {
					d.Body = fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","expires":%q}`, now.AddDate(0, 0, r.IntN(200)-50).Format(time.DateOnly))
				}
				rules, _ = rules.Update([]document.Document{d})
				written[d.Key] = now
			}
			standings := lifecycle.Of(rules.Flags(), old(now), settings, now)
			news := lifecycle.Transitions(standings, told, settings, now)
			if !slices.IsSortedFunc(news, func(a, b lifecycle.Transition) int { return strings.Compare(a.Key, b.Key) }) {
				t.Fatalf("seed %d: not in order: %v", seed, news)
			}
			for _, n := range news {
				if before := told[n.Key]; before.Stage == n.To || before.Stage == "" && n.To == lifecycle.Active {
					t.Fatalf("seed %d: %s was told to be %q already", seed, n.Key, n.To)
				}
				if delete(told, n.Key); n.To != lifecycle.Active && n.To != lifecycle.Archived {
					told[n.Key] = lifecycle.Told{Stage: n.To, Since: n.Since, Revision: n.Flag.Revision()}
				}
			}
			for _, s := range standings {
				if got := told[s.Flag.Key()]; got.Stage != s.Stage && s.Stage != lifecycle.Active {
					t.Fatalf("seed %d: %s is %s and was told to be %q", seed, s.Flag.Key(), s.Stage, got.Stage)
				}
			}
			if len(told) > len(standings) {
				t.Fatalf("seed %d: %d flags are remembered, %d exist", seed, len(told), len(standings))
			}
			if more := lifecycle.Transitions(standings, told, settings, now); len(more) > 0 {
				t.Fatalf("seed %d: %v is told again", seed, more)
			}
			behind := now.Add(-time.Duration(r.IntN(40)) * day)
			for _, n := range lifecycle.Transitions(lifecycle.Of(rules.Flags(), old(behind), settings, behind), told, settings, behind) {
				if told[n.Key].Revision == n.Flag.Revision() {
					t.Fatalf("seed %d: by a clock that is behind, %v is told", seed, n)
				}
			}
		}
	}
}

// What was told before other settings held can be taken back.
func TestOtherSettings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)
	rules := compile(t, map[string]string{"f": `{"state":"ENABLED","variants":{"on":true},"expires":"2026-07-05"}`})
	short := lifecycle.Settings{ExpiringWithin: day, StaleAfter: 90 * day}
	told := map[string]lifecycle.Told{"f": {Stage: lifecycle.Expiring}}
	news := lifecycle.Transitions(lifecycle.Of(rules.Flags(), 0, short, now), told, short, now)
	if len(news) != 1 || news[0].To != lifecycle.Active {
		t.Errorf("%v", news)
	}
}

// BenchmarkLook is what a publisher does when something has changed in an environment of 10,000 flags.
func BenchmarkLook(b *testing.B) {
	var documents []document.Document
	for i := range 10_000 {
		body := fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","kind":"experiment","expires":"2026-06-30",`+
			`"targeting":{"fractional":[["on",50],["off",50]]}}`)
		documents = append(documents, document.Document{Kind: document.KindFlag, Key: fmt.Sprint("f", i), Revision: 5, Body: body})
	}
	rules, _ := eval.New().Update(documents)
	p := lifecycle.DefaultPolicy()
	p.OnExpiry = map[string]lifecycle.OnExpiry{"experiment": {Action: lifecycle.Freeze}}
	now, told := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), map[string]lifecycle.Told{}
	for _, d := range documents {
		told[d.Key] = lifecycle.Told{Stage: lifecycle.Expired, Revision: 5}
	}
	for b.Loop() {
		standings := lifecycle.Of(rules.Flags(), 0, p.Settings(), now)
		if len(lifecycle.Transitions(standings, told, p.Settings(), now)) > 0 {
			b.Fatal("nothing is new")
		}
		dependants, due := lifecycle.Dependants(rules.Flags()), 0
		for _, s := range standings {
			if p.Intend(s, dependants[s.Flag.Key()]).Due() {
				due++
			}
		}
	}
}
