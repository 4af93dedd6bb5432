package usage

import "sync/atomic"

// counter counts in memory that may be given up at any moment without losing a count: who adds looks afterwards whether it is still
// collected, and who gives it up takes what is there only after saying so. One of the two sees the other.
type counter struct {
	n    atomic.Uint64
	kept atomic.Bool // it is collected
	idle int         // collections in a row that found nothing; belongs to who collects
}

// add counts, and reports whether that is collected. If not, the counter has to be kept again.
func (c *counter) add(n uint64) (kept bool) {
	c.n.Add(n)
	return c.kept.Load()
}

// collect returns what was counted since the last time, and reports whether the counter has been idle for long.
func (c *counter) collect() (n uint64, idle bool) {
	if n = c.n.Swap(0); n > 0 {
		c.idle = 0
		return n, false
	}
	c.idle++
	return 0, c.idle >= maxIdle
}

// giveUp returns what was counted since collect. Who adds later keeps the counter again.
func (c *counter) giveUp() uint64 {
	c.kept.Store(false)
	c.idle = 0
	return c.n.Swap(0)
}

// maxIdle is after how many collections without a count the memory of a series is given up.
const maxIdle = 30
