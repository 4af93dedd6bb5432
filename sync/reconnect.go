package flagsync

import (
	"math/rand/v2"
	"time"
)

// How long to wait between attempts to connect: often at first, because most
// outages are short, then less often, because many clients wait for one server.
const (
	reconnectMin  = 50 * time.Millisecond
	reconnectFast = 500 * time.Millisecond
	reconnectSlow = 10 * time.Second
	fastPeriod    = 30 * time.Second
)

// reconnectDelay spaces the attempts of one connection. It is called from one
// goroutine.
type reconnectDelay struct {
	since time.Time // of the first attempt of this outage
	now   func() time.Time
}

func newReconnectDelay() *reconnectDelay { return &reconnectDelay{now: time.Now} }

// delay returns how long to wait after the given number of rounds through all
// servers, counted from 1.
func (r *reconnectDelay) delay(rounds int) time.Duration {
	now := r.now()
	if rounds <= 1 || r.since.IsZero() {
		r.since = now
	}
	longest := reconnectFast
	if waited := now.Sub(r.since) - fastPeriod; waited > 0 {
		longest = min(reconnectFast+waited/2, reconnectSlow)
	}
	return jitter(reconnectMin, longest)
}

// jitter returns a random duration from least to most.
func jitter(least, most time.Duration) time.Duration {
	return least + rand.N(most-least+1) //nolint:gosec // spreads load, guards nothing
}
