package usage

import (
	"maps"
	"sync"
	"time"

	"github.com/flagside/flagside/eval"
)

const (
	// reporting is how long a client that told its counts is one that tells them.
	reporting = 150 * time.Second
	// maxReporters is how many such clients are told apart. Of others it is as if they told nothing.
	maxReporters = 1000
	// MaxReporter is how many bytes the name of such a client may have.
	MaxReporter = 64
)

// reporters are the clients that evaluate by themselves and tell how often. The zero value has none.
type reporters struct {
	mu    sync.Mutex
	heard map[string]time.Time // when each told last
}

// Told keeps that a client which evaluates by itself tells its counts, even if it has none. client is an id that it has chosen.
func (c *Counts) Told(client string, now time.Time) {
	if c == nil || client == "" || len(client) > MaxReporter {
		return
	}
	c.reporters.mu.Lock()
	defer c.reporters.mu.Unlock()
	c.reporters.forget(now)
	if _, known := c.reporters.heard[client]; !known && len(c.reporters.heard) >= maxReporters {
		return
	}
	if c.reporters.heard == nil {
		c.reporters.heard = make(map[string]time.Time)
	}
	c.reporters.heard[client] = now
}

// Telling returns how many clients that evaluate by themselves told their counts lately.
func (c *Counts) Telling(now time.Time) int {
	if c == nil {
		return 0
	}
	c.reporters.mu.Lock()
	defer c.reporters.mu.Unlock()
	c.reporters.forget(now)
	return len(c.reporters.heard)
}

// forget drops those that were not heard of for long. mu is held.
func (r *reporters) forget(now time.Time) {
	maps.DeleteFunc(r.heard, func(_ string, heard time.Time) bool { return now.Sub(heard) > reporting })
}

// Evaluations counts n evaluations with the same result, of a client that evaluates by itself. The flag of the result must not be nil.
func (c *Counts) Evaluations(r *eval.Result, o Outcome, a Application, n uint64) {
	if c != nil {
		c.add(c.seriesOf(r, o, a, false), n)
	}
}

// NotFoundBy counts n requests of such a client for a flag that does not exist.
func (c *Counts) NotFoundBy(key []byte, n uint64) {
	if c != nil {
		c.unknown.addMany(key, n)
	}
}
