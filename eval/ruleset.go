package eval

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"
)

// Ruleset is a compiled, immutable set of documents. Make one with New and Update.
type Ruleset struct {
	settings      settings
	compatibility Compatibility
	attributes    *attributeTable
	segments      map[string]*segment
	flags         *flagStore
	required      map[string]int      // by dependency: how many documents depend on it
	troubled      map[string]Problems // by dependency: why the newest document is not in use

	sortOnce sync.Once
	sorted   []*Flag
}

// New returns an empty Ruleset in the default, strict mode.
func New() *Ruleset {
	return &Ruleset{attributes: newAttributeTable(), flags: newFlagStore()}
}

// Flag returns the flag with the key, or nil if there is none.
func (r *Ruleset) Flag(key string) *Flag { return r.flags.get(key) }

// FlagBytes is Flag for a key in a byte slice. It does not allocate.
func (r *Ruleset) FlagBytes(key []byte) *Flag { return r.flags.getBytes(key) }

// Flags returns all flags in key order. The slice is shared and must not be modified. The first call on a Ruleset costs time in
// proportion to the number of flags.
func (r *Ruleset) Flags() []*Flag {
	r.sortOnce.Do(func() { r.sorted = r.flags.sorted() })
	return r.sorted
}

// Len returns the number of flags.
func (r *Ruleset) Len() int { return r.flags.count }

// Compatibility returns the compatibility that the settings document asks for.
func (r *Ruleset) Compatibility() Compatibility { return r.compatibility }

// Problems returns why the newest version of some documents is not in use: either the last good version stands in its place, or, for a
// flag without one, a flag that answers errors. Warnings are not among them.
func (r *Ruleset) Problems() Problems {
	var all Problems
	for _, problems := range r.troubled {
		all = append(all, problems...)
	}
	all.sort()
	return all
}

// flagStore finds flags by key. It is immutable once published; an update copies the shards that it changes, and no others.
type flagStore struct {
	seed   maphash.Seed
	shards [shardCount]map[string]*Flag
	chunks [][]*Flag // all flags in key order
	count  int
}

// shardCount makes a shard of a set of 100,000 flags hold about 200.
const shardCount = 512

// chunkSize is the largest number of flags in a chunk.
const chunkSize = 512

func newFlagStore() *flagStore { return &flagStore{seed: maphash.MakeSeed()} }

func (s *flagStore) get(key string) *Flag {
	return s.shards[maphash.String(s.seed, key)%shardCount][key]
}

func (s *flagStore) getBytes(key []byte) *Flag {
	return s.shards[maphash.Bytes(s.seed, key)%shardCount][string(key)]
}

// all calls visit for every flag, in key order.
func (s *flagStore) all(visit func(*Flag)) {
	for _, chunk := range s.chunks {
		for _, f := range chunk {
			visit(f)
		}
	}
}

func (s *flagStore) sorted() []*Flag { return slices.Concat(s.chunks...) }

// with returns a store with some flags replaced, added or, where the value is nil, removed.
func (s *flagStore) with(changes map[string]*Flag) *flagStore {
	if len(changes) == 0 {
		return s
	}
	next := &flagStore{seed: s.seed, shards: s.shards, count: s.count}
	var owned [shardCount]bool
	for key, f := range changes {
		i := maphash.String(s.seed, key) % shardCount
		if !owned[i] {
			next.shards[i], owned[i] = cloneShard(next.shards[i]), true
		}
		if next.shards[i][key] != nil {
			next.count--
		}
		if f == nil {
			delete(next.shards[i], key)
			continue
		}
		next.shards[i][key] = f
		next.count++
	}
	if len(changes) > len(s.chunks) {
		next.chunks = next.rebuiltChunks()
	} else {
		next.chunks = changedChunks(s.chunks, changes)
	}
	return next
}

func cloneShard(shard map[string]*Flag) map[string]*Flag {
	if shard == nil {
		return make(map[string]*Flag)
	}
	return maps.Clone(shard)
}

func (s *flagStore) rebuiltChunks() [][]*Flag {
	flags := make([]*Flag, 0, s.count)
	for _, shard := range s.shards {
		for _, f := range shard {
			flags = append(flags, f)
		}
	}
	slices.SortFunc(flags, compareFlags)
	return slices.Collect(slices.Chunk(flags, chunkSize/2))
}

func compareFlags(a, b *Flag) int { return compareKeys(a, b.key) }

func compareKeys(f *Flag, key string) int {
	switch {
	case f.key < key:
		return -1
	case f.key > key:
		return 1
	default:
		return 0
	}
}

// changedChunks applies changes to ordered chunks one by one, copying only the chunks that they fall into.
func changedChunks(chunks [][]*Flag, changes map[string]*Flag) [][]*Flag {
	chunks = slices.Clone(chunks)
	for key, f := range changes {
		i := chunkOf(chunks, key)
		if i == len(chunks) {
			chunks = append(chunks, nil)
		}
		chunk := slices.Clone(chunks[i])
		at, found := slices.BinarySearchFunc(chunk, key, compareKeys)
		switch {
		case f == nil && found:
			chunk = slices.Delete(chunk, at, at+1)
		case f != nil && found:
			chunk[at] = f
		case f != nil:
			chunk = slices.Insert(chunk, at, f)
		}
		chunks = replaceChunk(chunks, i, chunk)
	}
	return chunks
}

// chunkOf returns the index of the chunk that holds a key or has to take it: the last one that begins at or before it.
func chunkOf(chunks [][]*Flag, key string) int {
	i, found := slices.BinarySearchFunc(chunks, key, func(chunk []*Flag, key string) int { return compareKeys(chunk[0], key) })
	if !found && i > 0 {
		i--
	}
	return i
}

// replaceChunk replaces a chunk, dropping it when it is empty and splitting it when it is too large.
func replaceChunk(chunks [][]*Flag, i int, chunk []*Flag) [][]*Flag {
	switch {
	case len(chunk) == 0:
		return slices.Delete(chunks, i, i+1)
	case len(chunk) > chunkSize:
		half := len(chunk) / 2
		chunks[i] = chunk[:half]
		return slices.Insert(chunks, i+1, chunk[half:])
	default:
		chunks[i] = chunk
		return chunks
	}
}
