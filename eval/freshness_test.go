package eval

import (
	"testing"
	"time"

	"github.com/flagside/flagside/document"
)

// demandsOf returns what the accessors of a flag say.
func demandsOf(f *Flag) demands {
	return demands{freshness: f.Freshness(), refreshAfter: f.RefreshAfter(), maxStaleness: f.MaxStaleness(), onUnreachable: f.OnUnreachable()}
}

func TestClosureTakesTheStrictestDemands(t *testing.T) {
	documents := []document.Document{
		flagDocument("a", 1, `,"maxStaleness":"1m"`+prerequisites(prerequisite1("b", "on"), prerequisite1("c", "on"))),
		flagDocument("b", 1, `,"freshness":"background_refresh","refreshAfter":"20s","onUnreachable":"error"`),
		flagDocument("c", 1, `,"refreshAfter":"10s","maxStaleness":"30s"`+prerequisites(prerequisite1("d", "on"))),
		flagDocument("d", 1, `,"freshness":"always_fresh","maxStaleness":"2m","onUnreachable":"default_variant"`),
	}
	r := apply(t, New(), documents...)
	want := map[string]demands{
		"a": {FreshnessAlwaysFresh, 10 * time.Second, 30 * time.Second, OnUnreachableError},
		"b": {FreshnessBackgroundRefresh, 20 * time.Second, 0, OnUnreachableError},
		"c": {FreshnessAlwaysFresh, 10 * time.Second, 30 * time.Second, OnUnreachableDefaultVariant},
		"d": {FreshnessAlwaysFresh, 0, 2 * time.Minute, OnUnreachableDefaultVariant},
	}
	for key, want := range want {
		if got := demandsOf(r.Flag(key)); got != want {
			t.Errorf("%s: got %+v, want %+v", key, got, want)
		}
	}
	r = apply(t, r, flagDocument("d", 2, ""))
	if got, want := demandsOf(r.Flag("a")), (demands{FreshnessBackgroundRefresh, 10 * time.Second, 30 * time.Second, OnUnreachableError}); got != want {
		t.Errorf("after a change: got %+v, want %+v", got, want)
	}
	r, _ = refused(t, r, flagDocument("a", 3, `,"colour":"red"`))
	r = apply(t, r, flagDocument("b", 4, ""), flagDocument("c", 4, ""), flagDocument("a", 5, prerequisites(prerequisite1("b", "on"))))
	if got := demandsOf(r.Flag("a")); got != noDemands() {
		t.Errorf("after everything demands nothing: got %+v", got)
	}
}

func TestKeptVersionFollowsTheDemandsOfItsPrerequisites(t *testing.T) {
	a := prerequisites(prerequisite1("b", "on"))
	r := apply(t, New(), flagDocument("a", 1, a), flagDocument("b", 1, ""))
	r, _ = refused(t, r, flagDocument("a", 2, a+`,"colour":"red"`))
	r, _ = refused(t, r, flagDocument("b", 3, `,"freshness":"always_fresh"`))
	if got := r.Flag("a").Freshness(); got != FreshnessAlwaysFresh {
		t.Errorf("got %s", got)
	}
	r, _ = refused(t, r, flagDocument("b", 4, ""))
	if got := r.Flag("a").Freshness(); got != FreshnessCacheFirst {
		t.Errorf("got %s", got)
	}
}
