package requests_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
)

// However many flags come to a stage and however long their names are, an event fits into the ledger, and the events together tell all of them.
func TestLifecycleEventsFit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"f", strings.Repeat("\x01", 1000), strings.Repeat("ü", 500)} {
		g := requests.NewGovernance("prod")
		var news []lifecycle.Transition
		for i := range 1200 {
			news = append(news, lifecycle.Transition{Key: fmt.Sprint(name, i), To: lifecycle.Expired, Since: now})
		}
		news = append(news, lifecycle.Transition{Key: "other", To: lifecycle.Stale, Since: now})
		for sequence := uint64(1); len(news) > 0; sequence++ {
			e := requests.LifecycleEvent(news, now)
			data, err := e.Encode()
			if err != nil || len(data) > changelog.MaxLedgerBody || len(e.Flags) == 0 {
				t.Fatalf("%d flags in %d bytes, %v", len(e.Flags), len(data), err)
			}
			decoded, err := requests.DecodeEvent(data)
			if err == nil {
				err = g.Evolve(sequence, decoded)
			}
			if err != nil {
				t.Fatal(err)
			}
			news = news[len(e.Flags):]
		}
		if len(g.Told()) != 1201 || g.Told()["other"].Stage != lifecycle.Stale {
			t.Errorf("%d flags are remembered", len(g.Told()))
		}
	}
	if e := requests.LifecycleEvent(nil, now); e.Type != "" {
		t.Errorf("nothing is told by %+v", e)
	}
}

// What was told of a flag is forgotten when it is active again or gone, and can be taken back when the days of the policy have changed.
func TestWhatWasTold(t *testing.T) {
	t.Parallel()
	g := requests.NewGovernance("prod")
	sequence := uint64(0)
	add := func(e requests.Event) {
		t.Helper()
		sequence++
		if err := g.Evolve(sequence, e); err != nil {
			t.Fatal(err)
		}
	}
	tell := func(to requests.EventType, keys ...string) {
		t.Helper()
		e := requests.Event{Type: to}
		for _, key := range keys {
			e.Flags = append(e.Flags, requests.FlagNotice{Key: key, Revision: 7})
		}
		add(e)
	}
	tell(requests.EventFlagExpired, "a", "b", "c")
	tell(requests.EventFlagActive, "a")
	tell(requests.EventFlagArchived, "b", "never told")
	want := map[string]lifecycle.Told{"c": {Stage: lifecycle.Expired, Revision: 7}}
	if diff := cmp.Diff(want, g.Told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p := lifecycle.DefaultPolicy()
	p.OnExpiry = map[string]lifecycle.OnExpiry{"experiment": {Action: lifecycle.Freeze}}
	add(requests.Event{Type: requests.EventLifecycle, Lifecycle: &p})
	if g.Told()["c"].Revision != 7 || !g.Lifecycle().Acts() {
		t.Errorf("the same days: %+v", g.Told()["c"])
	}
	p.StaleDays = 5
	add(requests.Event{Type: requests.EventLifecycle, Lifecycle: &p})
	if g.Told()["c"].Revision != 0 {
		t.Errorf("other days: %+v", g.Told()["c"])
	}
	if err := g.Evolve(sequence+1, requests.Event{Type: requests.EventLifecycle}); err == nil {
		t.Error("settings that say nothing")
	}
}
