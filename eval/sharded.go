package eval

import (
	"hash/maphash"
	"maps"
)

// shardCount makes a shard of 100,000 entries hold about 200.
const shardCount = 512

// sharded is a map that is immutable once published; an update copies the shards that it changes, and no others.
type sharded[V any] struct {
	seed   maphash.Seed
	shards [shardCount]map[string]V
}

func newSharded[V any]() *sharded[V] { return &sharded[V]{seed: maphash.MakeSeed()} }

func (s *sharded[V]) get(key string) V {
	return s.shards[maphash.String(s.seed, key)%shardCount][key]
}

func (s *sharded[V]) getBytes(key []byte) V {
	return s.shards[maphash.Bytes(s.seed, key)%shardCount][string(key)]
}

// with returns a map with some entries replaced, added or, where removed says so of the value, removed.
func (s *sharded[V]) with(changes map[string]V, removed func(V) bool) *sharded[V] {
	if len(changes) == 0 {
		return s
	}
	next := *s
	var owned [shardCount]bool
	for key, v := range changes {
		i := maphash.String(s.seed, key) % shardCount
		if !owned[i] {
			next.shards[i], owned[i] = cloneShard(next.shards[i]), true
		}
		if removed(v) {
			delete(next.shards[i], key)
		} else {
			next.shards[i][key] = v
		}
	}
	return &next
}

func cloneShard[V any](shard map[string]V) map[string]V {
	if shard == nil {
		return make(map[string]V)
	}
	return maps.Clone(shard)
}
