package jetstream

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// How long to wait between attempts to connect: often at first, because most
// outages are short, then less often, because many clients wait for one server.
const (
	reconnectMin  = 50 * time.Millisecond
	reconnectFast = 500 * time.Millisecond
	reconnectSlow = 10 * time.Second
	fastPeriod    = 30 * time.Second
)

// reconnects decides which server is tried next and when. Every attempt is
// preceded by a pause: with a pause per round through all servers, as nats.go
// has it, all clients of a server that is lost would come to the others at once.
type reconnects struct {
	now func() time.Time

	mu    sync.Mutex
	since time.Time // of the first attempt of this outage; zero when there is none
	turn  int
}

func newReconnects() *reconnects { return &reconnects{now: time.Now} }

// next implements [nats.ReconnectToServerHandler]. It takes the servers in turn.
func (r *reconnects) next(servers []nats.Server, _ nats.ServerInfo) (*nats.Server, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn++
	return &servers[r.turn%len(servers)], r.delay()
}

// connected ends the outage.
func (r *reconnects) connected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since = time.Time{}
}

// delay returns how long to wait before the next attempt of an outage.
func (r *reconnects) delay() time.Duration {
	now := r.now()
	if r.since.IsZero() {
		r.since = now
	}
	longest := reconnectFast
	if waited := now.Sub(r.since) - fastPeriod; waited > 0 {
		longest = min(reconnectFast+waited/2, reconnectSlow)
	}
	return Jitter(reconnectMin, longest)
}

// Jitter returns a random duration from least to most.
func Jitter(least, most time.Duration) time.Duration {
	return least + rand.N(most-least+1) //nolint:gosec // spreads load, guards nothing
}
