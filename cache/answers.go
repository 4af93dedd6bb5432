package cache

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/dgraph-io/ristretto/v2"
)

// Answers remembers values by the bytes that they were computed from, within a
// bound of memory. It is lossy: what was put in may be missing the next
// moment, and never comes back as something else. Nothing is ever taken out
// because it became wrong; a key has to contain all that its value depends on.
//
// Values are kept while [Answers.Run] runs, before and after it nothing is.
// Get and Put are safe for concurrent use, and values are shared.
type Answers[V any] struct {
	limit int64

	mu   sync.RWMutex // held for reading by anyone who uses kept, so that it is closed after the last use
	kept *ristretto.Cache[[]byte, *entry[V]]
}

// entry is a value with its key, by which it is recognised: two keys could
// have the same hash.
type entry[V any] struct {
	key   []byte
	value V
}

// overhead is what an entry occupies in bytes beside its key and its value,
// about.
const overhead = 256

// usualAnswer is how many bytes an answer has, by which the number of answers
// that fit is estimated.
const usualAnswer = 4 << 10

// largestShare is the part of the memory that one answer may take: larger ones
// would drive all others out.
const largestShare = 4

// NewAnswers returns a memory of at most limit bytes; 0 remembers nothing.
func NewAnswers[V any](limit int64) *Answers[V] { return &Answers[V]{limit: limit} }

// Run keeps values until ctx ends, and returns when the memory is given back.
// It fails at once if the limit is not usable. It runs once.
func (a *Answers[V]) Run(ctx context.Context) error {
	if a.limit > 0 {
		if err := a.open(); err != nil {
			return fmt.Errorf("memory of answers: %w", err)
		}
		defer a.close()
	}
	<-ctx.Done()
	return nil
}

func (a *Answers[V]) open() error {
	kept, err := ristretto.NewCache(&ristretto.Config[[]byte, *entry[V]]{
		NumCounters:        max(10*a.limit/usualAnswer, 1000), // ten for each, as its documentation recommends
		MaxCost:            a.limit,
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = kept
	return nil
}

// close waits for anyone who uses the memory, because it must not be used while
// it is closed.
func (a *Answers[V]) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Close()
	a.kept = nil
}

// Get returns the value that was put under the key.
func (a *Answers[V]) Get(key []byte) (value V, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	found, ok := a.kept.Get(key)
	if !ok || !bytes.Equal(found.key, key) {
		return value, false
	}
	return found.value, true
}

// Put remembers the value, which occupies size bytes, under a copy of the key,
// or not.
func (a *Answers[V]) Put(key []byte, value V, size int) {
	cost := int64(size+len(key)) + overhead
	if cost > a.limit/largestShare {
		return
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	a.kept.Set(key, &entry[V]{key: bytes.Clone(key), value: value}, cost)
}

// Settle waits until everything that was put in before has been looked at.
func (a *Answers[V]) Settle() {
	a.mu.RLock()
	defer a.mu.RUnlock()
	a.kept.Wait()
}
