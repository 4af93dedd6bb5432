package sidecar

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/cache"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

func TestServingStates(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		name  string
		spoil func(*facts)
		want  servingState
	}{
		{"confirmed", func(*facts) {}, servingLive},
		{"a dead publisher, just before the own barrier", func(f *facts) { f.log.Age = liveLimit }, servingLive},
		{"not confirmed for long", func(f *facts) { f.log.Age = liveLimit + 1 }, servingMemory},
		{"never confirmed", func(f *facts) { f.log.AgeKnown = false }, servingMemory},
		{"no connection", func(f *facts) { f.log.Connected = false }, servingMemory},
		{"a leader that does not answer", func(f *facts) { f.breakers = []follow.Breaker{{Name: "leader", State: "open"}} }, servingMemory},
		{"a leader that is asked again", func(f *facts) { f.breakers = []follow.Breaker{{Name: "leader", State: "half-open"}} }, servingMemory},
		{"a leader that answers, reads that fail", func(f *facts) {
			f.breakers = []follow.Breaker{{Name: "leader", State: "closed"}, {Name: "entries", State: "open"}}
		}, servingLive},
		{"another state than was signed", func(f *facts) { f.log.DifferentState = writer.ErrDifferentState }, servingMemory},
		{"foreign messages", func(f *facts) { f.log.Foreign = flagsync.Foreign{Messages: 1, Since: now} }, servingLive},
		{"disk", func(f *facts) { f.source = cache.SourceDisk }, servingDisk},
		{"bootstrap", func(f *facts) { f.source = cache.SourceBootstrap }, servingBootstrap},
		{"empty", func(f *facts) { f.source = cache.SourceEmpty }, servingEmpty},
	} {
		f := wellSince(now)
		c.spoil(&f)
		if got := f.serving(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// What holds began when it was seen first, and begins again after it was otherwise.
func TestSinceWhen(t *testing.T) {
	start := time.Unix(1000, 0)
	all := make(since)
	look := func(after time.Duration, spoil func(*facts)) *facts {
		f := wellSince(start.Add(after))
		f.keeps = true
		spoil(&f)
		all.note(&f)
		return &f
	}
	well := func(*facts) {}
	look(0, well)
	if f := look(time.Second, well); f.servingSince != start || f.dependencies[0].Since != start.UTC() {
		t.Errorf("since %v, %+v", f.servingSince, f.dependencies)
	}
	cut := look(2*time.Second, func(f *facts) {
		f.log.Connected, f.link = false, errors.New("refused")
		f.disk = []cache.Condition{{Detail: "full"}, {Detail: "damaged"}}
	})
	at := start.Add(2 * time.Second)
	if cut.servingSince != at {
		t.Errorf("memory since %v", cut.servingSince)
	}
	want := []dependency{
		{Name: "connection", State: "down", Since: at.UTC(), LastError: "refused"},
		{Name: "heartbeat", State: "up", Since: start.UTC()},
		{Name: "disk", State: "down", Since: at.UTC(), LastError: "full; damaged"},
	}
	if diff := cmp.Diff(want, cut.dependencies); diff != "" {
		t.Error(diff)
	}
	if f := look(3*time.Second, well); f.servingSince != start.Add(3*time.Second) {
		t.Errorf("live again since %v", f.servingSince)
	}
}

func TestReadyWhen(t *testing.T) {
	for _, wrong := range []string{"", "Live", "fresh", "fresh:", "fresh:1s", "fresh:-5s", "fresh:x", "liveness"} {
		if _, err := parseReadyWhen(wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
	for _, c := range []struct {
		demand string
		spoil  func(*facts)
		met    bool
	}{
		{"any", func(f *facts) { f.source, f.log = cache.SourceBootstrap, follow.Status{} }, true},
		{"live", func(*facts) {}, true},
		{"live", func(f *facts) { f.log.Connected = false }, false},
		{"live", func(f *facts) { f.log.DifferentState = writer.ErrDifferentState }, false},
		{"live", func(f *facts) { f.source = cache.SourceDisk }, false},
		{"fresh:30s", func(f *facts) { f.log.Age = 30 * time.Second }, true},
		{"fresh:30s", func(f *facts) { f.log.Connected, f.log.Age = false, 29*time.Second }, true},
		{"fresh:30s", func(f *facts) { f.log.Age = 31 * time.Second }, false},
		{"fresh:30s", func(f *facts) { f.log.AgeKnown = false }, false},
		{"fresh:30s", func(f *facts) { f.log.AgeKnown, f.age = false, age{value: time.Second, known: true, estimated: true} }, false},
	} {
		demand, err := parseReadyWhen(c.demand)
		if err != nil {
			t.Fatal(err)
		}
		f := wellSince(time.Unix(1000, 0))
		c.spoil(&f)
		if unmet := demand.unmet(&f); (unmet == "") != c.met {
			t.Errorf("%s: %q, want it met: %t", c.demand, unmet, c.met)
		}
	}
}
