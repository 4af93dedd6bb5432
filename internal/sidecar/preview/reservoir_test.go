package preview

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// clock is a time that tests set.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanoseconds.Store(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// Now returns the time.
func (c *clock) Now() time.Time { return time.Unix(0, c.nanoseconds.Load()).UTC() }

// add sets the time forward and returns it.
func (c *clock) add(d time.Duration) time.Time {
	return time.Unix(0, c.nanoseconds.Add(int64(d))).UTC()
}

// flagsOf returns flags with keys.
func flagsOf(tb testing.TB, keys ...string) []*eval.Flag {
	tb.Helper()
	var documents []document.Document
	for _, key := range keys {
		documents = append(documents, document.Document{Kind: document.KindFlag, Key: key, Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)})
	}
	rules, problems := eval.New().Update(documents)
	if problems.Err() != nil {
		tb.Fatal(problems.Err())
	}
	var flags []*eval.Flag
	for _, key := range keys {
		flags = append(flags, rules.Flag(key))
	}
	return flags
}

// weightOf returns how many evaluations of a flag are told, and of them those with a context that fits.
func weightOf(r *Reservoir, flag string, fits func([]byte) bool) (sum, fitting float64, samples int) {
	all, _ := r.About(map[string]bool{flag: true}, nil)
	for _, s := range all {
		sum += s.Weight
		samples++
		if fits(s.Context) {
			fitting += s.Weight
		}
	}
	return sum, fitting, samples
}

// A few evaluations are all remembered, each as one.
func TestFewAreAllKept(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := NewReservoir(c.Now, 1)
	flag := flagsOf(t, "checkout")[0]
	for i := range 100 {
		if !r.Wants() {
			t.Fatal("it does not want the first")
		}
		r.Keep(flag, fmt.Appendf(nil, `{"n":%d}`, i), 0)
	}
	all, since := r.About(map[string]bool{"checkout": true}, nil)
	seen := make(map[string]bool)
	for _, s := range all {
		seen[string(s.Context)] = true
		if s.Weight != 1 {
			t.Errorf("%s stands for %v", s.Context, s.Weight)
		}
	}
	if len(seen) != 100 || !since.Equal(c.Now()) {
		t.Errorf("%d different ones since %v", len(seen), since)
	}
	if other, _ := r.About(map[string]bool{"other": true}, nil); len(other) != 0 {
		t.Errorf("another flag has %d", len(other))
	}
}

// Sums over the sample are right on average, also when the share that is looked at falls and rises with traffic: over many seeds the mean of the
// estimates is within five of its standard errors of the truth.
func TestEstimatesAreRightOnAverage(t *testing.T) {
	t.Parallel()
	flag := flagsOf(t, "checkout")[0]
	fits := func(context []byte) bool { return bytes.Contains(context, []byte(`"gold"`)) }
	gold, plain := []byte(`{"plan":"gold"}`), []byte(`{"plan":"plain"}`)
	const runs = 30
	var sums, golds [runs]float64
	truth, truthGold := 0.0, 0.0
	for run := range runs {
		c := newClock()
		r := NewReservoir(c.Now, uint64(run+1))
		truth, truthGold = 0, 0
		for second := range 40 {
			c.add(time.Second)
			n := 100
			if second >= 10 && second < 20 {
				n = 5000
			}
			for i := range n {
				truth++
				context := plain
				if i%5 == 0 {
					truthGold++
					context = gold
				}
				if r.Wants() {
					r.Keep(flag, context, 0)
				}
			}
		}
		sums[run], golds[run], _ = weightOf(r, "checkout", fits)
	}
	verifyMean(t, "all", sums[:], truth)
	verifyMean(t, "gold", golds[:], truthGold)
}

func verifyMean(t *testing.T, name string, values []float64, truth float64) {
	t.Helper()
	mean, squares := 0.0, 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	deviation := math.Sqrt(squares/float64(len(values)-1)) / math.Sqrt(float64(len(values)))
	if math.Abs(mean-truth) > 5*deviation+0.01*truth {
		t.Errorf("%s: the mean of the estimates is %.0f, the truth %.0f, the standard error %.0f", name, mean, truth, deviation)
	}
	if deviation > 0.1*truth {
		t.Errorf("%s: the estimates scatter by %.0f around %.0f", name, deviation, truth)
	}
}

// Memory is bounded by what a heap shows, with contexts of all sizes, many flags, and selections that clients make up.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := NewReservoir(c.Now, 1)
	var keys []string
	for i := range 3000 {
		keys = append(keys, fmt.Sprint("flag-", i))
	}
	flags := flagsOf(t, keys...)
	context := []byte(strings.Repeat("x", MaxContext+1))
	most := 0
	for i := range 200_000 {
		if i%500 == 0 {
			c.add(10 * time.Second)
		}
		switch size := 1 + i*7919%(MaxContext+1); i % 3 {
		case 0:
			r.Keep(flags[i%len(flags)], context[:size], 0)
		case 1:
			r.KeepSet(fmt.Appendf(nil, "set-%d", i), context[:size%200], 0)
		default:
			r.KeepAll(context[:size], 0)
		}
		_, size := r.Size()
		most = max(most, size)
	}
	if most > MaxBytes || most < MaxBytes/2 {
		t.Errorf("at most %d bytes, allowed are %d", most, MaxBytes)
	}
	verifyAccount(t, r)
	for _, w := range r.windows {
		for _, p := range w {
			for _, s := range p.kept {
				if len(s.context) > MaxContext {
					t.Fatalf("a context of %d bytes is kept", len(s.context))
				}
			}
		}
	}
}

// verifyAccount compares the sums that are kept with what they are of.
func verifyAccount(t *testing.T, r *Reservoir) {
	t.Helper()
	count, size := 0, 0
	for _, w := range r.windows {
		for key, p := range w {
			size += key.size()
			for _, s := range p.kept {
				size += sampleSize + len(s.context)
				count++
			}
		}
	}
	if count != r.count || size != r.bytes {
		t.Errorf("%d samples of %d bytes, said to be %d of %d", count, size, r.count, r.bytes)
	}
}

// What is older than an hour is forgotten, whether anything happens or not, and also when the clock is set.
func TestOldOnesAreForgotten(t *testing.T) {
	t.Parallel()
	flag := flagsOf(t, "checkout")[0]
	for name, test := range map[string]struct {
		after time.Duration
		kept  bool
	}{
		"at once": {0, true}, "50 min": {50*time.Minute - time.Second, true}, "an hour": {Period, false}, "days": {100 * time.Hour, false},
		"an hour before": {-time.Hour, false}, "years": {24 * 365 * 100 * time.Hour, false},
	} {
		c := newClock()
		r := NewReservoir(c.Now, 1)
		r.Keep(flag, []byte(`{}`), 0)
		c.add(test.after)
		r.Expire()
		if n, _ := r.Size(); (n == 1) != test.kept {
			t.Errorf("%s: %d are kept", name, n)
		}
		verifyAccount(t, r)
	}
}

// At the end contexts are overwritten, and nothing is kept any more.
func TestContextsAreWiped(t *testing.T) {
	t.Parallel()
	r := NewReservoir(nil, 1)
	flag := flagsOf(t, "checkout")[0]
	r.Keep(flag, []byte(`{"email":"x"}`), 0)
	all, _ := r.About(map[string]bool{"checkout": true}, nil)
	r.Wipe()
	if got := all[0].Context; !bytes.Equal(got, make([]byte, len(got))) {
		t.Errorf("%q is still there", got)
	}
	r.Keep(flag, []byte(`{}`), 0)
	if n, size := r.Size(); n != 0 || size != 0 {
		t.Errorf("%d samples, %d bytes", n, size)
	}
}

// While there are many evaluations, nearly none is looked at; once there are few again, all are.
func TestTheShareFollowsTraffic(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := NewReservoir(c.Now, 1)
	flag := flagsOf(t, "checkout")[0]
	offered := 0
	for range 20 {
		c.add(time.Second)
		for range 100_000 {
			if r.Wants() {
				offered++
				r.Keep(flag, []byte(`{}`), 0)
			}
		}
	}
	if perSecond := offered / 20; perSecond > 4*busyRate || perSecond < busyRate/8 {
		t.Errorf("of 100,000 a second %d are looked at", perSecond)
	}
	for range 10 {
		c.add(10 * time.Second)
		r.Expire()
	}
	if r.threshold.Load() != math.MaxUint64 {
		t.Errorf("after a while of nothing not all are looked at: %x", r.threshold.Load())
	}
}

// What is not looked at, or not kept, allocates nothing.
func TestNothingIsAllocated(t *testing.T) {
	flag := flagsOf(t, "checkout")[0]
	context := []byte(`{"targetingKey":"user"}`)
	var none *Reservoir
	if n := testing.AllocsPerRun(1000, func() { none.Wants() }); n != 0 {
		t.Errorf("nothing to keep in: %v allocations", n)
	}
	r := NewReservoir(nil, 1)
	r.threshold.Store(1)
	if n := testing.AllocsPerRun(1000, func() {
		if r.Wants() {
			r.Keep(flag, context, 0)
		}
	}); n != 0 {
		t.Errorf("not looked at: %v allocations", n)
	}
	r = NewReservoir(nil, 1)
	for range 200_000 { // so that the next is hardly kept
		r.Keep(flag, context, 0)
	}
	r.threshold.Store(math.MaxUint64)
	if n := testing.AllocsPerRun(100, func() { r.Keep(flag, context, 0) }); n > 0 {
		t.Errorf("not kept: %v allocations", n)
	}
}

func BenchmarkWants(b *testing.B) {
	flag := flagsOf(b, "checkout")[0]
	r := NewReservoir(nil, 1)
	context := []byte(`{"targetingKey":"user-123456","country":"de","plan":"gold"}`)
	b.Run("busy", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if r.Wants() {
					r.Keep(flag, context, usage.Application(0))
				}
			}
		})
	})
	b.Run("off", func(b *testing.B) {
		var none *Reservoir
		for b.Loop() {
			none.Wants()
		}
	})
}
