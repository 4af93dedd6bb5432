package events

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"time"
)

// What is remembered of exposures: for how long, and how many pairs of flag and subject.
const (
	window        = 24 * time.Hour
	shardCount    = 16
	shardCapacity = 4 << 10
)

// recent remembers which variant a subject was told to have of a flag: the pairs that were asked for last. Two pairs are taken for one if their
// 64-bit hashes with a random seed are equal, of which there is one chance in 2^48 for each pair that is new.
type recent struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard has the pairs with some of the hashes.
type shard struct {
	mu     sync.Mutex // guards what follows
	index  map[uint64]uint32
	slots  []slot // a list from the newest to the oldest
	newest uint32
	oldest uint32
	_      [64]byte // keeps the locks of shards in different cache lines
}

// slot is a pair, and what was told of it.
type slot struct {
	pair  uint64
	what  uint64
	at    time.Duration // since the recorder began
	newer uint32
	older uint32
}

func newRecent() *recent { return &recent{seed: maphash.MakeSeed()} }

// pair returns the hash of a flag and a subject.
func (r *recent) pair(flag, subject string) uint64 {
	return maphash.String(r.seed, subject) ^ bits.RotateLeft64(maphash.String(r.seed, flag), 32)
}

// whatOf returns what is told of a pair, as a number.
func whatOf(revision uint64, variant int) uint64 { return revision<<20 ^ uint64(variant) } // #nosec G115 -- no variant has a negative place

// told reports whether the same was told of a pair within the window.
func (r *recent) told(pair, what uint64, now time.Duration) bool {
	s := &r.shards[pair%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.index[pair]
	if !ok || s.slots[i].what != what || now-s.slots[i].at >= window {
		return false
	}
	s.use(i)
	return true
}

// tell remembers that something is told of a pair, and reports whether that is new. The pair that was asked for the longest ago may be
// forgotten for it.
func (r *recent) tell(pair, what uint64, now time.Duration) bool {
	s := &r.shards[pair%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.index[pair]
	if ok && s.slots[i].what == what && now-s.slots[i].at < window {
		return false
	}
	if !ok {
		i = s.place(pair)
	}
	s.use(i)
	s.slots[i].what, s.slots[i].at = what, now
	return true
}

// forget makes the next time new again, because what was told could not be kept.
func (r *recent) forget(pair uint64) {
	s := &r.shards[pair%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.index[pair]; ok {
		s.slots[i].at -= window
	}
}

// place returns a slot for a pair that has none. s.mu is held.
func (s *shard) place(pair uint64) uint32 {
	if s.index == nil {
		s.index = make(map[uint64]uint32)
	}
	i := s.oldest
	if n := len(s.slots); n < shardCapacity {
		i = uint32(n) // #nosec G115 -- less than the capacity
		s.slots = append(s.slots, slot{newer: i, older: i})
		if n > 0 {
			s.linkNewest(i)
		} else {
			s.newest, s.oldest = i, i
		}
	} else {
		delete(s.index, s.slots[i].pair)
	}
	s.slots[i].pair = pair
	s.index[pair] = i
	return i
}

// use makes a slot the newest. s.mu is held.
func (s *shard) use(i uint32) {
	if s.newest == i {
		return
	}
	one := &s.slots[i]
	s.slots[one.newer].older = one.older
	if s.oldest == i {
		s.oldest = one.newer
	} else {
		s.slots[one.older].newer = one.newer
	}
	s.linkNewest(i)
}

// linkNewest puts a slot that is not in the list before the newest. s.mu is held.
func (s *shard) linkNewest(i uint32) {
	s.slots[i].older = s.newest
	s.slots[s.newest].newer = i
	s.newest = i
}
