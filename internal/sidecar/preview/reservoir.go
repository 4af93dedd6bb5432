package preview

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

const (
	// windowLength is how long evaluations of one window are gathered, and windows how many are kept: the last 50 to 60 minutes.
	windowLength = 10 * time.Minute
	windows      = 6
	// Period is how long an evaluation is remembered at most.
	Period = windows * windowLength
	// maxKept is how many evaluations of a flag are kept in a window, and least how many while there are many flags.
	maxKept = 128
	least   = 4
	// MaxContext is how many bytes a context may have to be kept.
	MaxContext = 4 << 10
	// MaxBytes is how much memory the sample takes.
	MaxBytes = 4 << 20
	// Of each window, flag and sample, beside the bytes of names and contexts.
	poolSize, sampleSize = 256, 80
	// busyRate is from how many evaluations a second on only some are looked at.
	busyRate = 256
	// idleShift is how much more is looked at, as a power of two, after a second or more in which nothing was.
	idleShift = 6
)

// Reservoir is a sample of the evaluations of the last hour. Create it with NewReservoir; nil keeps nothing.
//
// Each window has a priority sample of the evaluations of each flag: each evaluation has its weight divided by a random number as priority, those with
// the highest are kept, and the highest that was dropped is the least that each of the others stands for. Sums over such a sample are right on average.
type Reservoir struct {
	// threshold is the share of evaluations that are looked at, of 2^64. It falls while there are many.
	threshold atomic.Uint64
	now       func() time.Time

	mu      sync.Mutex // guards what follows; evaluations never wait for it
	random  *rand.Rand
	windows [windows]map[poolKey]*pool
	window  int64 // the newest, by number since 1970
	began   time.Time
	kept    int // at most, of each flag and window
	bytes   int
	count   int // of samples
	closed  bool

	second int64 // in which looked counts
	looked int
}

// poolKey names what one request asks for: a flag, or all flags of a set, or of all.
type poolKey struct {
	flag string
	set  string
	kind kind
}

type kind uint8

const (
	oneFlag kind = iota
	flagsOfSet
	allFlags
)

type pool struct {
	kept []sample
	tau  float64 // the highest priority that was dropped
}

// sample is one evaluation.
type sample struct {
	context     []byte // never modified while it may be read
	weight      float64
	priority    float64
	application usage.Application
}

// NewReservoir returns an empty one. now reads the clock, nil means time.Now; seed makes it repeatable, 0 means a random one.
func NewReservoir(now func() time.Time, seed uint64) *Reservoir {
	if now == nil {
		now = time.Now
	}
	if seed == 0 {
		seed = rand.Uint64() // #nosec G404 -- which evaluations are kept is no secret
	}
	r := &Reservoir{now: now, random: rand.New(rand.NewPCG(seed, 0)), kept: maxKept, began: now()} // #nosec G404 -- as above
	r.window = r.began.UnixNano() / int64(windowLength)
	r.threshold.Store(math.MaxUint64)
	return r
}

// Wants reports whether an evaluation is to be offered to Keep. It costs one random number, takes no lock and allocates nothing.
func (r *Reservoir) Wants() bool {
	return r != nil && rand.Uint64() <= r.threshold.Load() // #nosec G404 -- as above
}

// Keep takes an evaluation of a flag that was wanted. It copies the context if it keeps it.
func (r *Reservoir) Keep(flag *eval.Flag, context []byte, a usage.Application) {
	r.offer(poolKey{flag: flag.Key()}, context, a)
}

// KeepSet takes an evaluation of all flags of a flag set; those without one are of the empty set.
func (r *Reservoir) KeepSet(set, context []byte, a usage.Application) {
	if len(set) <= MaxContext {
		r.offer(poolKey{set: string(set), kind: flagsOfSet}, context, a)
	}
}

// KeepAll takes an evaluation of all flags.
func (r *Reservoir) KeepAll(context []byte, a usage.Application) {
	r.offer(poolKey{kind: allFlags}, context, a)
}

func (r *Reservoir) offer(key poolKey, context []byte, a usage.Application) {
	if len(context) > MaxContext || !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	now := r.now()
	weight := r.pace(now)
	r.turn(now)
	p := r.poolOf(key)
	s := sample{weight: weight, priority: weight / (1 - r.random.Float64()), application: a}
	if len(p.kept) >= r.kept {
		i := lowest(p.kept)
		if s.priority <= p.kept[i].priority {
			p.tau = max(p.tau, s.priority)
			return
		}
		p.tau = max(p.tau, p.kept[i].priority)
		r.bytes -= sampleSize + len(p.kept[i].context)
		r.count--
		p.kept[i] = p.kept[len(p.kept)-1]
		p.kept = p.kept[:len(p.kept)-1]
	}
	s.context = append(make([]byte, 0, len(context)), context...)
	p.kept = append(p.kept, s)
	r.bytes += sampleSize + len(s.context)
	r.count++
	r.fit()
}

// pace returns what one evaluation stands for, and has fewer looked at while there are many.
func (r *Reservoir) pace(now time.Time) (weight float64) {
	threshold := r.threshold.Load()
	weight = math.MaxUint64 / float64(threshold)
	if second := now.Unix(); second != r.second {
		if r.looked < busyRate/4 && threshold != math.MaxUint64 {
			r.threshold.Store(threshold<<1 | 1)
		}
		r.second, r.looked = second, 0
	}
	if r.looked++; r.looked > busyRate {
		r.threshold.Store(threshold>>1 | 1)
		r.looked = 0
	}
	return weight
}

// turn lets go of what is too old.
func (r *Reservoir) turn(now time.Time) {
	window := now.UnixNano() / int64(windowLength)
	if window == r.window {
		return
	}
	if window < r.window || window-r.window >= windows { // the clock was set, or nothing happened for long
		for i := range r.windows {
			r.drop(i)
		}
		r.began = now
	} else {
		for w := r.window + 1; w <= window; w++ {
			r.drop(int(w % windows))
		}
	}
	r.window, r.kept = window, min(2*r.kept, maxKept)
}

// drop lets go of a window.
func (r *Reservoir) drop(i int) {
	for key, p := range r.windows[i] {
		r.bytes -= key.size()
		for _, s := range p.kept {
			r.bytes -= sampleSize + len(s.context)
			r.count--
		}
	}
	r.windows[i] = nil
}

func (k poolKey) size() int { return poolSize + len(k.flag) + len(k.set) }

// poolOf returns the pool of the newest window with a key.
func (r *Reservoir) poolOf(key poolKey) *pool {
	at := int(r.window % windows)
	if p := r.windows[at][key]; p != nil {
		return p
	}
	if r.windows[at] == nil {
		r.windows[at] = make(map[poolKey]*pool)
	}
	p := new(pool)
	key.flag = strings.Clone(key.flag) // it may be a part of something large
	r.windows[at][key] = p
	r.bytes += key.size()
	return p
}

func lowest(all []sample) (at int) {
	for i := range all {
		if all[i].priority < all[at].priority {
			at = i
		}
	}
	return at
}

// fit makes room: fewer evaluations of each flag are kept first, and then none of old windows.
func (r *Reservoir) fit() {
	for r.bytes > MaxBytes {
		switch {
		case r.kept > least:
			r.kept /= 2
			for _, w := range r.windows {
				for _, p := range w {
					r.trim(p)
				}
			}
		case !r.dropOldest():
			r.drop(int(r.window % windows)) // there are more flags than there is room for
		}
	}
}

// trim takes the evaluations with the lowest priorities out of a pool that has too many.
func (r *Reservoir) trim(p *pool) {
	for len(p.kept) > r.kept {
		i, end := lowest(p.kept), len(p.kept)-1
		p.tau = max(p.tau, p.kept[i].priority)
		r.bytes -= sampleSize + len(p.kept[i].context)
		r.count--
		p.kept[i] = p.kept[end]
		p.kept[end] = sample{}
		p.kept = p.kept[:end]
	}
}

// dropOldest lets go of the oldest window but the newest, and reports whether there was one.
func (r *Reservoir) dropOldest() bool {
	for w := r.window - windows + 1; w < r.window; w++ {
		if i := int(w % windows); r.windows[i] != nil {
			r.drop(i)
			return true
		}
	}
	return false
}

// Remembered is an evaluation that was kept.
type Remembered struct {
	key poolKey
	// Context is what it was made with. It must not be modified, and not be read after Wipe.
	Context []byte
	// Weight is how many evaluations it stands for.
	Weight      float64
	Application usage.Application
}

// Flag returns the key of the flag that was asked for, if it was one.
func (r *Remembered) Flag() (key string, one bool) { return r.key.flag, r.key.kind == oneFlag }

// Asks reports whether a flag was asked for.
func (r *Remembered) Asks(f *eval.Flag) bool {
	switch r.key.kind {
	case oneFlag:
		return r.key.flag == f.Key()
	case flagsOfSet:
		return r.key.set == f.SetID()
	default:
		return true
	}
}

// About returns what is kept of some flags, of some flag sets, and of all flags, and since when it can have been.
func (r *Reservoir) About(flags, sets map[string]bool) (all []Remembered, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.turn(now)
	since = time.Unix(0, (r.window-windows+1)*int64(windowLength))
	if r.began.After(since) {
		since = r.began
	}
	for _, w := range r.windows {
		for key, p := range w {
			if key.kind == oneFlag && !flags[key.flag] || key.kind == flagsOfSet && !sets[key.set] {
				continue
			}
			for _, s := range p.kept {
				all = append(all, Remembered{key: key, Context: s.context, Weight: max(s.weight, p.tau), Application: s.application})
			}
		}
	}
	return all, since
}

// Size returns how many evaluations are kept, and the memory that they take.
func (r *Reservoir) Size() (samples, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.bytes
}

// Expire lets go of what is too old, which nothing else does while there are no evaluations, and has more looked at when there are fewer than before.
func (r *Reservoir) Expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.turn(now)
	if threshold := r.threshold.Load(); now.Unix()-r.second > 1 && !r.closed {
		if threshold > math.MaxUint64>>idleShift {
			threshold = math.MaxUint64 >> idleShift
		}
		r.threshold.Store(threshold<<idleShift | (1<<idleShift - 1))
	}
}

// Wipe overwrites every context and keeps nothing from now on. Nothing may be reading what About has returned.
func (r *Reservoir) Wipe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, w := range r.windows {
		for _, p := range w {
			for _, s := range p.kept {
				clear(s.context)
			}
		}
		r.drop(i)
	}
	r.closed = true
	r.threshold.Store(0)
}
