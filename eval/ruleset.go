package eval

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/flagside/flagside/document"
)

// Ruleset is a compiled, immutable set of documents. Make one with New and Update, or with New and Load.
type Ruleset struct {
	deferred      atomic.Pointer[deferred] // the flags that are still to be compiled, and what is to be read in place of the fields in the second group; else nil
	settings      settings
	compatibility Compatibility
	segments      map[string]*segment
	generation    uint64
	limit         int            // how many nodes one evaluation may visit
	generations   *atomic.Uint64 // the newest generation of this Ruleset and of all that were made from the same New

	attributes *attributeTable
	flags      *flagStore
	dependants dependants
	troubled   map[document.ID]Problems // why the newest document is not in use

	sortOnce sync.Once
	sorted   []*Flag

	prepared atomic.Pointer[weak.Pointer[Ruleset]] // what Prepare has made of it, nil if nothing
	madeOf   atomic.Pointer[madeOf]                // what Prepare has made it of, until an Update has taken it; else nil
}

// New returns an empty Ruleset in the default, strict mode, whose evaluations may visit DefaultMaxWork nodes each.
func New() *Ruleset { return NewWithin(0) }

// NewWithin is New with another limit for the work of one evaluation, its prerequisites included: maxWork is in nodes, of which 8 bytes of
// text count as one; 0 or less means DefaultMaxWork. A document whose own lists already take more is refused, or loaded with a warning for
// CompatibilityFlagd; what depends on data ends with PARSE_ERROR when the limit is reached.
func NewWithin(maxWork int) *Ruleset {
	if maxWork <= 0 {
		maxWork = DefaultMaxWork
	}
	r := &Ruleset{limit: min(maxWork, mostWork), attributes: newAttributeTable(), flags: newFlagStore(), dependants: newDependants(), generations: new(atomic.Uint64)}
	r.generation = r.generations.Add(1)
	return r
}

// The limits for the work of one evaluation that people may choose.
const (
	leastWork = 1000
	mostWork  = 1_000_000_000
)

// ValidateMaxWork returns why NewWithin would not take a limit as it is, nil for 0, which means the default.
func ValidateMaxWork(maxWork int) error {
	if maxWork != 0 && (maxWork < leastWork || maxWork > mostWork) {
		return fmt.Errorf("%d nodes for one evaluation: want %d to %d", maxWork, leastWork, mostWork)
	}
	return nil
}

// Flag returns the flag with the key, or nil if there is none. It compiles a flag that Load has left.
func (r *Ruleset) Flag(key string) *Flag {
	if d := r.deferred.Load(); d != nil {
		return d.flag(key)
	}
	return r.flags.get(key)
}

// FlagBytes is Flag for a key in a byte slice. It does not allocate once the flag is compiled.
func (r *Ruleset) FlagBytes(key []byte) *Flag {
	if d := r.deferred.Load(); d != nil {
		return d.flagBytes(key)
	}
	return r.flags.getBytes(key)
}

// Sample returns one of the flags, nil if there are none.
func (r *Ruleset) Sample() *Flag {
	if d := r.deferred.Load(); d != nil {
		for key := range d.slots {
			return d.flag(key)
		}
	}
	for _, chunk := range r.flags.chunks {
		return chunk[0]
	}
	return nil
}

// Generation returns a number that no other Ruleset has that was made from the same New. Bulk answers for equal contexts may be kept
// under it, so anyone who keeps answers makes all rulesets of a process from one.
func (r *Ruleset) Generation() uint64 { return r.generation }

// Flags returns all flags in key order. The slice is shared and must not be modified. The first call on a Ruleset costs time in
// proportion to the number of flags.
func (r *Ruleset) Flags() []*Flag {
	r.Finish()
	r.sortOnce.Do(func() { r.sorted = r.flags.sorted() })
	return r.sorted
}

// Len returns the number of flags.
func (r *Ruleset) Len() int {
	if d := r.deferred.Load(); d != nil {
		return d.early.count + len(d.slots)
	}
	return r.flags.count
}

// Compatibility returns the compatibility that the settings document asks for.
func (r *Ruleset) Compatibility() Compatibility { return r.compatibility }

// MaxWork returns how many nodes one evaluation may visit.
func (r *Ruleset) MaxWork() int { return r.limit }

// Problems returns why the newest version of some documents is not in use: either the last good version stands in its place, or, for a
// flag without one, a flag that answers errors. Warnings are not among them.
func (r *Ruleset) Problems() Problems {
	r.Finish()
	var all Problems
	for _, problems := range r.troubled {
		all = append(all, problems...)
	}
	all.sort()
	return all
}

// flagStore finds flags by key. It is immutable once published; an update copies the shards that it changes, and no others.
type flagStore struct {
	*sharded[*Flag]
	chunks [][]*Flag // all flags in key order
	count  int
}

// chunkSize is the largest number of flags in a chunk.
const chunkSize = 512

func newFlagStore() *flagStore { return &flagStore{sharded: newSharded[*Flag]()} }

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
	next := &flagStore{sharded: s.sharded.with(changes, func(f *Flag) bool { return f == nil }), count: s.count}
	for key, f := range changes {
		if s.get(key) != nil {
			next.count--
		}
		if f != nil {
			next.count++
		}
	}
	if len(changes) > len(s.chunks) {
		next.chunks = next.rebuiltChunks()
	} else {
		next.chunks = changedChunks(s.chunks, changes)
	}
	return next
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
