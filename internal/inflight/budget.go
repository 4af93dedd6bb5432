// Package inflight bounds the memory of what a port has under way: requests that arrive, and answers that clients have not taken yet.
package inflight

import (
	"context"
	"sync"
)

// Default is how many bytes a port may have under way unless its options say otherwise.
const Default = 64 << 20

// Budget is a number of bytes that may be under way at the same time. Create it with New. Safe for concurrent use.
type Budget struct {
	most int64

	mu    sync.Mutex // guards what follows
	used  int64
	freed chan struct{} // closed when bytes are given back; nil without waiters
}

// New returns a budget of a number of bytes; 0 means Default.
func New(most int64) *Budget {
	if most == 0 {
		most = Default
	}
	return &Budget{most: most}
}

// Take takes bytes, if there are as many left, and returns how many must be given back. What is larger than half of the budget counts as half of
// it, so that it can be sent at all. A quarter of the budget is for what is small, so that many large answers do not stop the small ones.
func (b *Budget) Take(bytes int64) (taken int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(bytes)
}

// Force takes bytes whether they are left or not, for what must go on and is bounded otherwise.
func (b *Budget) Force(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += bytes
}

// Small is how many bytes at most may take the last quarter of a budget.
const Small = 64 << 10

// Grow is Take for what grows: it has taken some bytes, and has now a size. It returns how many it has taken then, which are not more if there
// are too few left.
func (b *Budget) Grow(taken, size int64) (now int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.grow(taken, size)
}

func (b *Budget) take(bytes int64) (taken int64, ok bool) { return b.grow(0, bytes) }

func (b *Budget) grow(taken, size int64) (now int64, ok bool) {
	most := b.most
	if size > Small {
		most -= most / 4
	}
	more := max(0, min(size, b.most/2)-taken)
	if more > 0 && b.used+more > most {
		return taken, false
	}
	b.used += more
	return taken + more, true
}

// Wait takes bytes as soon as there are as many left. It returns an error only when ctx ends before.
func (b *Budget) Wait(ctx context.Context, bytes int64) (taken int64, err error) {
	for {
		taken, freed := b.takeOrWait(bytes)
		if freed == nil {
			return taken, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// takeOrWait takes bytes, or returns what is closed when some are given back.
func (b *Budget) takeOrWait(bytes int64) (taken int64, freed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if taken, ok := b.take(bytes); ok {
		return taken, nil
	}
	return 0, b.waiting()
}

// Freed returns what is closed when bytes are given back the next time.
func (b *Budget) Freed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting()
}

func (b *Budget) waiting() <-chan struct{} {
	if b.freed == nil {
		b.freed = make(chan struct{})
	}
	return b.freed
}

// Release gives back what was taken.
func (b *Budget) Release(taken int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= taken
	if b.freed != nil && taken > 0 {
		close(b.freed)
		b.freed = nil
	}
}

// Used returns how many bytes are under way.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
