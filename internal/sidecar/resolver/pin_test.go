package resolver_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// pinned asks for a flag and returns its value and its metadata.
func (w *world) pinned(key string, h resolver.Headers) (value, metadata string, err error) {
	var q resolver.Request
	if err := w.Begin(context.Background(), &q, []byte(key), h); err != nil {
		return "", "", err
	}
	defer q.End()
	result, err := q.Answer([]byte(`{"new":true}`))
	return string(result.Value()), string(result.Metadata), err
}

// allPinned asks for all flags and returns their keys and values, and the metadata of the answer.
func (w *world) allPinned(h resolver.Headers) (values, metadata string) {
	w.t.Helper()
	var q resolver.BulkRequest
	if err := w.BeginAll(context.Background(), &q, h); err != nil {
		w.t.Fatal(err)
	}
	defer q.End()
	results, err := q.Results([]byte(`{"new":true}`))
	if err != nil {
		w.t.Fatal(err)
	}
	for r := range results.All(w.t.Context()) {
		values += r.Flag.Key() + "=" + string(r.Value()) + " "
	}
	return values, string(results.Metadata())
}

// A request is answered from exactly the revision that it is pinned to, but for flags that switch something off in an emergency.
func TestPins(t *testing.T) {
	w := newWorld(t, "a", settled(1, ``), "gone", settled(1, ``), "switch", settled(1, `,"kind":"ops"`),
		"on-it", settled(1, `,"prerequisites":[{"flag":"switch","variants":["v"]}]`), "late", settled(1, ``))
	old := w.token(w.commit()).String()
	for _, change := range [][2]string{
		{"a", settled(2, ``)},
		{"switch", settled(2, `,"kind":"ops"`)},
		{"late", settled(2, `,"kind":"ops"`)},
		{"new", `{"state":"ENABLED","variants":{"v":3},"defaultVariant":"v","targeting":{"if":[{"var":"new"},"v"]},"kind":"ops"}`},
	} {
		w.commit(change[0], change[1])
		w.deliver()
	}
	pin := resolver.Headers{Pin: []byte(old)}
	for key, want := range map[string]string{"a": "1", "gone": "1", "switch": "2", "on-it": "1", "late": "2", "new": "3"} {
		if got, metadata, err := w.pinned(key, pin); got != want || err != nil || strings.Contains(metadata, "pinned") {
			t.Errorf("%s: %s %s %v, want %s", key, got, metadata, err, want)
		}
	}
	if got, metadata := w.allPinned(pin); got != "a=1 gone=1 late=2 new=3 on-it=1 switch=2 " || strings.Contains(metadata, "pinned") {
		t.Errorf("all: %s %s", got, metadata)
	}
	if got, _ := w.allPinned(resolver.Headers{}); got != "a=2 gone=1 late=2 new=3 on-it=1 switch=2 " {
		t.Errorf("all, not pinned: %s", got)
	}
	byBaggage := resolver.Headers{Get: func(name string) []byte {
		if name == "Baggage" {
			return []byte("x=y, flagside-pin-revision = " + old + " ;p=1,flagside-min-revision=nonsense")
		}
		return nil
	}}
	if got, _, err := w.pinned("a", byBaggage); got != "1" || err != nil {
		t.Errorf("by baggage: %s %v", got, err)
	}
}

// What is not kept is answered from the newest, which is told, or refused where the request says so.
func TestPinsThatAreNotKept(t *testing.T) {
	w := newWorld(t, "a", settled(1, ``))
	first := w.token(w.commit()).String()
	for i := range uint64(9) {
		w.commit("a", settled(i+2, ``))
		w.deliver()
	}
	newest := w.token(w.commit()).String()
	elsewhere := "0000000a-3"
	for _, test := range []struct {
		name, pin string
		want      string
		gone      bool
	}{
		{"the newest", newest, "10", false},
		{"kept", w.token(w.commit() - 4).String(), "6", false},
		{"too old", first, "10", true},
		{"of another history", elsewhere, "10", true},
		{"too new", w.token(w.commit() + 1).String(), "10", true},
	} {
		got, metadata, err := w.pinned("a", resolver.Headers{Pin: []byte(test.pin)})
		if got != test.want || err != nil || strings.Contains(metadata, `"pinnedRevisionGone":true`) != test.gone {
			t.Errorf("%s: %s %s %v", test.name, got, metadata, err)
		}
		_, bulk := w.allPinned(resolver.Headers{Pin: []byte(test.pin)})
		if strings.Contains(bulk, `"pinnedRevisionGone":true`) != test.gone {
			t.Errorf("%s: all: %s", test.name, bulk)
		}
		_, _, err = w.pinned("a", resolver.Headers{Pin: []byte(test.pin), PinMode: []byte("strict")})
		if errors.Is(err, resolver.ErrPinGone) != test.gone {
			t.Errorf("%s: strict: %v", test.name, err)
		}
	}
	for _, h := range []resolver.Headers{
		{Pin: []byte("x")},
		{Pin: []byte(newest), PinMode: []byte("lax")},
		{Pin: []byte(w.token(w.commit() - 2).String()), MinRevision: []byte(newest)},
	} {
		if _, _, err := w.pinned("a", h); !errors.Is(err, resolver.ErrRequirement) {
			t.Errorf("%s %s %s: %v", h.Pin, h.PinMode, h.MinRevision, err)
		}
	}
}

// A demand in baggage is waited for a moment and never refuses an answer: visitors can write it.
func TestBaggageInsistsOnNothing(t *testing.T) {
	w := newWorld(t, "a", settled(1, ``))
	for _, baggage := range []string{
		"flagside-min-revision=" + w.token(1000).String(), "flagside-min-revision=0000000a-1", "flagside-pin-revision=0000000a-1", ",,=,;", "flagside-pin-revision",
		"flagside-pin-revision=%00",
	} {
		got, _, err := w.pinned("a", resolver.Headers{Get: func(name string) []byte {
			if name == "Baggage" {
				return []byte(baggage)
			}
			return nil
		}})
		if got != "1" || err != nil {
			t.Errorf("%s: %s %v", baggage, got, err)
		}
	}
}

// Whatever headers demand, baggage does not add what refuses an answer.
func TestBaggageBesideHeaders(t *testing.T) {
	w := newWorld(t, "a", settled(1, ``))
	old := w.token(w.commit()).String()
	newest := w.token(w.commit("a", settled(2, ``))).String()
	w.deliver()
	for _, h := range []resolver.Headers{
		{MinRevision: []byte(newest)}, {PinMode: []byte("strict")}, {MinRevision: []byte(newest), PinMode: []byte("strict")},
	} {
		for _, pin := range []string{old, "0000000a-1", w.token(1).String(), w.token(1000).String()} {
			h.Get = func(name string) []byte {
				if name == "Baggage" {
					return []byte("flagside-pin-revision=" + pin)
				}
				return nil
			}
			got, _, err := w.pinned("a", h)
			if err != nil || got != "2" && !(pin == old && len(h.MinRevision) == 0 && got == "1") {
				t.Errorf("%s %s, baggage %s: %s %v", h.MinRevision, h.PinMode, pin, got, err)
			}
		}
	}
}

// delivering is a Past into which a change comes while it is asked.
type delivering struct {
	resolver.Past

	deliver func()
}

func (d *delivering) At(t changelog.Token) *cache.View {
	d.deliver()
	return d.Past.At(t)
}

// A kill switch that is thrown while a pinned request looks for its revision counts, whichever revision that is.
func TestAKillSwitchDuringAPinnedRequest(t *testing.T) {
	w := newWorld(t, "k", settled(1, `,"kind":"ops"`))
	before := w.token(w.commit())
	past := &delivering{Past: w.store, deliver: func() {}}
	r, err := resolver.New(resolver.Options{Views: w.store, Past: past, Log: w, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	for n, pinTo := range []string{"what was before", "what comes"} {
		thrown := w.token(w.commit("k", settled(uint64(n+2), `,"kind":"ops"`)))
		past.deliver = func() {
			past.deliver = func() {}
			w.deliver()
		}
		pin := before
		if pinTo == "what comes" {
			pin = thrown
		}
		var q resolver.Request
		if err := r.Begin(t.Context(), &q, []byte("k"), resolver.Headers{Pin: []byte(pin.String())}); err != nil {
			t.Fatal(err)
		}
		result, err := q.Answer(nil)
		if got := string(result.Value()); err != nil || got != strconv.Itoa(n+2) {
			t.Errorf("pinned to %s: %s %v", pinTo, got, err)
		}
		q.End()
	}
}

// A sidecar that is a moment behind waits for the revision that another has.
func TestAPinThatIsAboutToCome(t *testing.T) {
	w := newWorld(t, "a", settled(1, ``))
	next := w.commit("a", settled(2, ``))
	go w.deliver()
	if got, metadata, err := w.pinned("a", resolver.Headers{Pin: []byte(w.token(next).String()), PinMode: []byte("strict")}); got != "2" || err != nil {
		t.Errorf("%s %s %v", got, metadata, err)
	}
}

func FuzzBaggage(f *testing.F) {
	w := newWorld(f, "a", settled(1, ``))
	f.Add([]byte("flagside-pin-revision=" + w.token(2).String() + ",flagside-min-revision=" + w.token(1).String()))
	f.Add([]byte("a=b;c, flagside-pin-revision = x"))
	f.Fuzz(func(t *testing.T, baggage []byte) {
		got, _, err := w.pinned("a", resolver.Headers{Get: func(name string) []byte {
			if name == "Baggage" {
				return baggage
			}
			return nil
		}})
		if err != nil || got != "1" {
			t.Errorf("%s %v", got, err)
		}
	})
}
