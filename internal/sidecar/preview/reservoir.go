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
	// Of each pool, with its place in a map, and of each sample that a pool has room for, beside the bytes of names and contexts.
	poolSize, sampleSize = 256, 48
	// lanes is into how many parts flags are divided, so that one that is asked for all the time takes no places of the others.
	lanes = 64
	// busyRate is from how many evaluations a second in a lane on only some are looked at, and burst how many may come at once after a quiet time.
	busyRate, burst = 32, 256
	// idleShift is how much more is looked at, as a power of two, after a second or more in which nothing was.
	idleShift = 6
)

// Reservoir is a sample of the evaluations of the last hour. Create it with NewReservoir; nil keeps nothing.
//
// Each window has a priority sample of the evaluations of each flag: each evaluation has its weight divided by a random number as priority, those with
// the highest are kept, and the highest that was dropped is the least that each of the others stands for. Sums over such a sample are right on average.
type Reservoir struct {
	lanes [lanes + 1]lane // of flags, and the last of all flags at once
	now   func() time.Time

	mu      sync.Mutex // guards what follows; evaluations never wait for it
	random  *rand.Rand
	windows [windows]map[poolKey]*pool
	window  int64 // the newest, by number since 1970
	began   time.Time
	kept    int // at most, of each flag and window
	bytes   int
	count   int // of samples
	closed  bool
}

// lane decides which of the evaluations of some flags are looked at.
type lane struct {
	threshold atomic.Uint64 // the share that is, of 2^64. It falls while there are many

	second int64 // in which looked counts
	looked int
	credit int // how many more are looked at before fewer are
}

// poolKey names what one request asks for: a flag, perhaps only if it is in a set, or all flags of a set, or of all.
type poolKey struct {
	flag string
	set  string
	kind kind
}

type kind uint8

const (
	oneFlag kind = iota
	oneFlagOfSet
	flagsOfSet
	allFlags
)

type pool struct {
	kept     []sample
	contexts int     // bytes of them
	tau      float64 // the highest priority that was dropped
}

func (p *pool) size() int { return cap(p.kept)*sampleSize + p.contexts }

// drop drops a sample. The order of the others does not matter.
func (p *pool) drop(i int) {
	end := len(p.kept) - 1
	p.tau = max(p.tau, p.kept[i].priority)
	p.contexts -= cap(p.kept[i].context)
	p.kept[i], p.kept[end] = p.kept[end], sample{}
	p.kept = p.kept[:end]
}

func (p *pool) add(s sample) {
	p.kept = append(p.kept, s)
	p.contexts += cap(s.context)
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
	for i := range r.lanes {
		r.lanes[i].threshold.Store(math.MaxUint64)
	}
	return r
}

// laneOf returns that of a flag. Equal flags are in the same one until they change.
func (r *Reservoir) laneOf(flag *eval.Flag) *lane { return &r.lanes[flag.Generation()%lanes] }

func (l *lane) wants() bool { return rand.Uint64() <= l.threshold.Load() } // #nosec G404 -- as above

// Wants reports whether an evaluation of a flag is to be offered to Keep. It costs one random number, takes no lock and allocates nothing.
func (r *Reservoir) Wants(flag *eval.Flag) bool { return r != nil && r.laneOf(flag).wants() }

// WantsAll is Wants for an evaluation of all flags, or of all of a set.
func (r *Reservoir) WantsAll() bool { return r != nil && r.lanes[lanes].wants() }

// Keep takes an evaluation of a flag that was wanted, and that was asked for on the condition that it is in its flag set, or without one. It copies the
// context if it keeps it.
func (r *Reservoir) Keep(flag *eval.Flag, ofSet bool, context []byte, a usage.Application) {
	key := poolKey{flag: flag.Key()}
	if ofSet {
		key.set, key.kind = flag.SetID(), oneFlagOfSet
	}
	r.offer(r.laneOf(flag), key, context, a)
}

// KeepSet takes an evaluation of all flags of a flag set; those without one are of the empty set.
func (r *Reservoir) KeepSet(set, context []byte, a usage.Application) {
	if len(set) <= MaxContext {
		r.offer(&r.lanes[lanes], poolKey{set: string(set), kind: flagsOfSet}, context, a)
	}
}

// KeepAll takes an evaluation of all flags.
func (r *Reservoir) KeepAll(context []byte, a usage.Application) {
	r.offer(&r.lanes[lanes], poolKey{kind: allFlags}, context, a)
}

func (r *Reservoir) offer(l *lane, key poolKey, context []byte, a usage.Application) {
	if len(context) > MaxContext || !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	now := r.now()
	weight := l.pace(now)
	r.turn(now)
	p := r.poolOf(key)
	s := sample{weight: weight, priority: weight / (1 - r.random.Float64()), application: a}
	if len(p.kept) >= r.kept && s.priority <= p.kept[lowest(p.kept)].priority {
		p.tau = max(p.tau, s.priority)
		return
	}
	r.bytes -= p.size()
	if len(p.kept) >= r.kept {
		p.drop(lowest(p.kept))
		r.count--
	}
	s.context = append([]byte(nil), context...)
	p.add(s)
	r.bytes += p.size()
	r.count++
	r.fit()
}

// pace returns what one evaluation stands for, and has fewer looked at while there are many.
func (l *lane) pace(now time.Time) (weight float64) {
	threshold := l.threshold.Load()
	weight = math.MaxUint64 / float64(threshold)
	if second := now.Unix(); second != l.second {
		if l.looked < busyRate/4 && threshold != math.MaxUint64 {
			l.threshold.Store(threshold<<1 | 1)
		}
		l.credit = int(min(int64(l.credit)+busyRate*max(second-l.second, 1), burst))
		l.second, l.looked = second, 0
	}
	l.looked++
	if l.credit--; l.credit <= 0 {
		l.threshold.Store(threshold>>1 | 1)
		l.credit = busyRate
	}
	return weight
}

// rise has more looked at if nothing was for a while.
func (l *lane) rise(now time.Time) {
	if now.Unix()-l.second <= 1 {
		return
	}
	threshold := min(l.threshold.Load(), math.MaxUint64>>idleShift)
	l.threshold.Store(threshold<<idleShift | (1<<idleShift - 1))
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
		r.bytes -= key.size() + p.size()
		r.count -= len(p.kept)
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
	key.flag, key.set = strings.Clone(key.flag), strings.Clone(key.set) // they may be parts of something large
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

// trim takes the evaluations with the lowest priorities out of a pool that has too many, and gives back their room.
func (r *Reservoir) trim(p *pool) {
	if cap(p.kept) <= r.kept {
		return
	}
	r.bytes -= p.size()
	for len(p.kept) > r.kept {
		p.drop(lowest(p.kept))
		r.count--
	}
	p.kept = append(make([]sample, 0, max(len(p.kept), 1)), p.kept...)
	r.bytes += p.size()
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
func (r *Remembered) Flag() (key string, one bool) {
	return r.key.flag, r.key.kind == oneFlag || r.key.kind == oneFlagOfSet
}

// Set returns the flag set that was asked for, if it was all of one.
func (r *Remembered) Set() (set string, all bool) { return r.key.set, r.key.kind == flagsOfSet }

// Asks reports whether a flag as it is was asked for: it is not if it lies in another flag set than the one that was.
func (r *Remembered) Asks(f *eval.Flag) bool {
	switch r.key.kind {
	case oneFlag:
		return r.key.flag == f.Key()
	case oneFlagOfSet:
		return r.key.flag == f.Key() && r.key.set == f.SetID()
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
			one := key.kind == oneFlag || key.kind == oneFlagOfSet
			if one && !flags[key.flag] || key.kind == flagsOfSet && !sets[key.set] {
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
	for i := range r.lanes {
		if !r.closed {
			r.lanes[i].rise(now)
		}
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
	for i := range r.lanes {
		r.lanes[i].threshold.Store(0)
	}
}
