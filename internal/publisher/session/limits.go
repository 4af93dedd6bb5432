package session

import (
	"sync"

	"golang.org/x/time/rate"
)

// Attempts to sign in, per second, and how many may come at once: of one client, and of all. Secrets cannot be guessed at any rate; the limits keep the
// bucket, the issuer and the log from being flooded.
const (
	clientRate, clientBurst = 1, 10
	totalRate, totalBurst   = 20, 100
	// maxClients bounds the clients that are told apart.
	maxClients = 1024
	// Cookies that are not known here, per second: each is looked up in the bucket.
	lookupRate, lookupBurst = 200, 400
)

// limits keep attempts within a rate.
type limits struct {
	total, lookups *rate.Limiter

	mu      sync.Mutex
	clients map[any]*rate.Limiter
}

func newLimits() *limits {
	return &limits{
		total: rate.NewLimiter(totalRate, totalBurst), lookups: rate.NewLimiter(lookupRate, lookupBurst), clients: make(map[any]*rate.Limiter),
	}
}

// attempt reports whether a client may try to sign in now.
func (l *limits) attempt(client any) bool {
	l.mu.Lock()
	own := l.clients[client]
	if own == nil {
		if len(l.clients) >= maxClients {
			clear(l.clients)
		}
		own = rate.NewLimiter(clientRate, clientBurst)
		l.clients[client] = own
	}
	l.mu.Unlock()
	return own.Allow() && l.total.Allow()
}
