package preview

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
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
		if !r.Wants(flag) {
			t.Fatal("it does not want the first")
		}
		r.Keep(flag, false, fmt.Appendf(nil, `{"n":%d}`, i), 0)
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
				if r.Wants(flag) {
					r.Keep(flag, false, context, 0)
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

// The account of memory is bounded and right, with contexts of all sizes, many flags, and selections that clients make up.
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
			r.Keep(flags[i%len(flags)], i%2 == 0, context[:size], 0)
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

// The account is what the heap shows, at most a tenth less, whatever fills the reservoir: few flags with large contexts, many with small ones, flags that
// come one after the other while the samples of the earlier ones are cut, and selections that clients make up.
func TestTheHeapIsBounded(t *testing.T) {
	var keys []string
	for i := range 6000 {
		keys = append(keys, fmt.Sprint("flag-", i))
	}
	flags := flagsOf(t, keys...)
	context := []byte(strings.Repeat("x", MaxContext))
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, fill := range map[string]func(r *Reservoir, i int){
		"large contexts": func(r *Reservoir, i int) { r.Keep(flags[i%50], false, context, 0) },
		"many flags":     func(r *Reservoir, i int) { r.Keep(flags[i%len(flags)], false, context[:20], 0) },
		"one after the other": func(r *Reservoir, i int) {
			r.Keep(flags[i/150%len(flags)], i%2 == 0, context[:1+i%30], 0)
		},
		"made up": func(r *Reservoir, i int) { r.KeepSet(strconv.AppendInt(nil, int64(i), 10), context[:i%60], 0) },
	} {
		c := newClock()
		before := heap()
		r := NewReservoir(c.Now, 1)
		most := int64(0)
		account := 0
		for i := range 100_000 {
			fill(r, i)
			if i%5_000 == 0 {
				c.add(time.Minute)
				most = max(most, heap()-before)
				_, size := r.Size()
				account = max(account, size)
			}
		}
		if most > MaxBytes*11/10 || account > MaxBytes || account < MaxBytes/3 {
			t.Errorf("%s: the heap has grown by %d bytes for an account of %d, allowed are %d", name, most, account, MaxBytes)
		}
		verifyAccount(t, r)
		runtime.KeepAlive(r)
	}
}

// verifyAccount compares the sums that are kept with what they are of.
func verifyAccount(t *testing.T, r *Reservoir) {
	t.Helper()
	count, size := 0, 0
	for _, w := range r.windows {
		for key, p := range w {
			size += key.size() + cap(p.kept)*sampleSize
			for _, s := range p.kept {
				size += cap(s.context)
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
		r.Keep(flag, false, []byte(`{}`), 0)
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
	r.Keep(flag, false, []byte(`{"email":"x"}`), 0)
	all, _ := r.About(map[string]bool{"checkout": true}, nil)
	r.Wipe()
	if got := all[0].Context; !bytes.Equal(got, make([]byte, len(got))) {
		t.Errorf("%q is still there", got)
	}
	r.Keep(flag, false, []byte(`{}`), 0)
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
			if r.Wants(flag) {
				offered++
				r.Keep(flag, false, []byte(`{}`), 0)
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
	if r.laneOf(flag).threshold.Load() != math.MaxUint64 {
		t.Errorf("after a while of nothing not all are looked at: %x", r.laneOf(flag).threshold.Load())
	}
}

// A flag that is asked for all the time takes no places of one that is asked for seldom.
func TestBusyFlagsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := NewReservoir(c.Now, 1)
	flags := flagsOf(t, "busy", "rare")
	const seconds = 60
	for range seconds {
		c.add(time.Second)
		for i := range 20_000 {
			if r.Wants(flags[0]) {
				r.Keep(flags[0], false, []byte(`{}`), 0)
			}
			if i == 0 && r.Wants(flags[1]) {
				r.Keep(flags[1], false, []byte(`{}`), 0)
			}
		}
	}
	sum, _, samples := weightOf(r, "rare", func([]byte) bool { return true })
	if samples != seconds || sum != seconds {
		t.Errorf("of %d evaluations of a rare flag %d are kept, which stand for %v", seconds, samples, sum)
	}
}

// What a request has asked for is told with the flag set that it was asked for in.
func TestSetsAreRemembered(t *testing.T) {
	t.Parallel()
	rules, problems := eval.New().Update([]document.Document{
		{Kind: document.KindFlag, Key: "a", Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","metadata":{"flagSetId":"web"}}`)},
		{Kind: document.KindFlag, Key: "b", Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`)},
	})
	moved, more := rules.Update([]document.Document{{Kind: document.KindFlag, Key: "a", Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","metadata":{"flagSetId":"app"}}`)}})
	if problems.Err() != nil || more.Err() != nil {
		t.Fatal(problems.Err(), more.Err())
	}
	r := NewReservoir(newClock().Now, 1)
	a, b := rules.Flag("a"), rules.Flag("b")
	r.Keep(a, false, []byte("1"), 0)
	r.Keep(a, true, []byte("2"), 0)
	r.Keep(b, true, []byte("3"), 0)
	r.KeepSet([]byte("web"), []byte("4"), 0)
	r.KeepSet(nil, []byte("5"), 0)
	r.KeepSet([]byte("other"), []byte("6"), 0)
	r.KeepAll([]byte("7"), 0)
	asking := func(f *eval.Flag) (found string) {
		all, _ := r.About(map[string]bool{"a": true, "b": true}, map[string]bool{"": true, "web": true, "app": true, "other": true})
		var texts []string
		for _, s := range all {
			if s.Asks(f) {
				texts = append(texts, string(s.Context))
			}
		}
		slices.Sort(texts)
		return strings.Join(texts, "")
	}
	for want, f := range map[string]*eval.Flag{"1247": a, "17": moved.Flag("a"), "357": b} {
		if got := asking(f); got != want {
			t.Errorf("%s of %q is asked for by %s, want %s", f.Key(), f.SetID(), got, want)
		}
	}
}

// What is not looked at, or not kept, allocates nothing.
func TestNothingIsAllocated(t *testing.T) {
	flag := flagsOf(t, "checkout")[0]
	context := []byte(`{"targetingKey":"user"}`)
	var none *Reservoir
	if n := testing.AllocsPerRun(1000, func() { none.Wants(flag) }); n != 0 {
		t.Errorf("nothing to keep in: %v allocations", n)
	}
	r := NewReservoir(nil, 1)
	r.laneOf(flag).threshold.Store(1)
	if n := testing.AllocsPerRun(1000, func() {
		if r.Wants(flag) {
			r.Keep(flag, false, context, 0)
		}
	}); n != 0 {
		t.Errorf("not looked at: %v allocations", n)
	}
	r = NewReservoir(nil, 1)
	for range 200_000 { // so that the next is hardly kept
		r.Keep(flag, false, context, 0)
	}
	r.laneOf(flag).threshold.Store(math.MaxUint64)
	if n := testing.AllocsPerRun(100, func() { r.Keep(flag, false, context, 0) }); n > 0 {
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
				if r.Wants(flag) {
					r.Keep(flag, false, context, usage.Application(0))
				}
			}
		})
	})
	b.Run("off", func(b *testing.B) {
		var none *Reservoir
		for b.Loop() {
			none.Wants(flag)
		}
	})
}
