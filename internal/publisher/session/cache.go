package session

import (
	"sync"
	"time"
)

// maxCached bounds the sessions that a publisher remembers.
const maxCached = 4096

// cached is what is remembered of a session.
type cached struct {
	record record
	seen   time.Time // when it was read from the bucket
}

// cache remembers sessions that were read a moment ago. What it has not is read again.
type cache struct {
	mu  sync.Mutex
	all map[string]cached // by id
}

func newCache() *cache { return &cache{all: make(map[string]cached)} }

func (c *cache) find(id string) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.all[id]
	return found, ok
}

func (c *cache) keep(k cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.all[k.record.ID]; !known && len(c.all) >= maxCached {
		clear(c.all)
	}
	c.all[k.record.ID] = k
}

func (c *cache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
}
