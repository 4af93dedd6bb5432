package telemetry

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// repeatInterval is how often repeated lines of a kind are summed up.
	repeatInterval = 10 * time.Second
	// maxKinds is how many kinds are told apart at a time. Lines beyond share one.
	maxKinds = 64
	// otherKind is that one.
	otherKind = "other"
)

// Repeats writes log lines that others can cause at will: the first line of a kind at once, then every 10 s one line with the number of those
// that came since, and it forgets a kind that was silent for as long. Create it with NewRepeats, and Close it. Safe for concurrent use.
type Repeats struct {
	logger zerolog.Logger

	mu     sync.Mutex // guards what follows
	kinds  map[string]*repeated
	closed bool
}

// repeated is a kind of which a line was written.
type repeated struct {
	level zerolog.Level
	count int // since the last line
	timer *time.Timer
}

// NewRepeats returns a Repeats that writes to the logger.
func NewRepeats(logger zerolog.Logger) *Repeats {
	return &Repeats{logger: logger, kinds: make(map[string]*repeated)}
}

// Line writes a line, or counts it if it repeats one of its kind. write finishes the event, as with zerolog's Msg.
func (r *Repeats) Line(level zerolog.Level, kind string, write func(*zerolog.Event)) {
	if r.first(level, kind) {
		write(r.logger.WithLevel(level)) //nolint:zerologlint // write does
	}
}

// first reports whether a line is the first of its kind, and counts it otherwise.
func (r *Repeats) first(level zerolog.Level, kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return true
	}
	if _, known := r.kinds[kind]; !known && len(r.kinds) >= maxKinds {
		kind = otherKind
	}
	if known := r.kinds[kind]; known != nil {
		known.count++
		return false
	}
	begun := &repeated{level: level}
	begun.timer = time.AfterFunc(repeatInterval, func() { r.sum(kind, begun) })
	r.kinds[kind] = begun
	return true
}

// sum writes how many lines of a kind came since the last one, or forgets the kind if none did.
func (r *Repeats) sum(kind string, k *repeated) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if k.count == 0 {
		delete(r.kinds, kind)
		return
	}
	r.write(kind, k)
	k.timer.Reset(repeatInterval)
}

func (r *Repeats) write(kind string, k *repeated) {
	r.logger.WithLevel(k.level).Str("kind", kind).Int("count", k.count).Msg("repeated log lines left out")
	k.count = 0
}

// Close writes the numbers that are due. Lines that come later are all written.
func (r *Repeats) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for kind, k := range r.kinds {
		k.timer.Stop()
		if k.count > 0 {
			r.write(kind, k)
		}
	}
	clear(r.kinds)
}
