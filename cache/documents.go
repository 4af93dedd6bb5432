package cache

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
)

// shardCount balances what one change copies: the list of shards, and the
// documents of the one it touches (about 25 KB in all for 100,000 documents).
const shardCount = 512

// documents is an immutable set of documents. Each shard is a sorted slice; an
// [edit] copies the shards that it touches and shares the others.
type documents struct {
	seed   maphash.Seed
	shards *[shardCount][]document.Document
	count  int
}

func newDocuments() documents {
	return documents{seed: maphash.MakeSeed(), shards: new([shardCount][]document.Document)}
}

// documentsOf returns a set of documents, without spare room. Of several with one
// id any is in it.
func documentsOf(all []document.Document) documents {
	d := newDocuments()
	var sizes [shardCount]int
	for i := range all {
		sizes[d.shard(all[i].ID())]++
	}
	for n, size := range sizes {
		if size > 0 {
			d.shards[n] = make([]document.Document, 0, size)
		}
	}
	for _, doc := range all {
		n := d.shard(doc.ID())
		d.shards[n] = append(d.shards[n], doc)
	}
	for n, shard := range d.shards {
		slices.SortFunc(shard, func(a, b document.Document) int { return compare(a, b.ID()) })
		d.shards[n] = slices.CompactFunc(shard, func(a, b document.Document) bool { return a.ID() == b.ID() })
		d.count += len(d.shards[n])
	}
	return d
}

func (d documents) shard(id document.ID) int {
	return int(maphash.String(d.seed, id.Key) % shardCount)
}

func (d documents) get(id document.ID) (document.Document, bool) {
	shard := d.shards[d.shard(id)]
	i, found := search(shard, id)
	if !found {
		return document.Document{}, false
	}
	return shard[i], true
}

func (d documents) all() iter.Seq[document.Document] {
	return func(yield func(document.Document) bool) {
		for _, shard := range d.shards {
			for _, doc := range shard {
				if !yield(doc) {
					return
				}
			}
		}
	}
}

func search(shard []document.Document, id document.ID) (int, bool) {
	return slices.BinarySearchFunc(shard, id, compare)
}

func compare(d document.Document, id document.ID) int {
	if c := strings.Compare(d.Key, id.Key); c != 0 {
		return c
	}
	return strings.Compare(string(d.Kind), string(id.Kind))
}

// edit is a set of documents in the making. It belongs to one goroutine.
type edit struct {
	documents
	owned [shardCount]bool // shards that were copied and may be written
}

// edit returns an edit that begins with d and leaves d as it is.
func (d documents) edit() *edit {
	shards := *d.shards
	return &edit{documents: documents{seed: d.seed, shards: &shards, count: d.count}}
}

// put stores doc, or removes what it identifies when its body is nil. It
// returns what was there before.
func (e *edit) put(doc document.Document) (before document.Document, existed bool) {
	id := doc.ID()
	n := e.shard(id)
	i, found := search(e.shards[n], id)
	if !found && doc.Body == nil {
		return document.Document{}, false
	}
	e.own(n)
	shard := e.shards[n]
	switch {
	case !found:
		e.shards[n] = slices.Insert(shard, i, doc)
		e.count++
		return document.Document{}, false
	case doc.Body == nil:
		before = shard[i]
		e.shards[n] = slices.Delete(shard, i, i+1)
		e.count--
	default:
		before = shard[i]
		shard[i] = doc
	}
	return before, true
}

func (e *edit) own(n int) {
	if !e.owned[n] {
		e.shards[n] = slices.Clone(e.shards[n])
		e.owned[n] = true
	}
}

// freeze ends the edit and returns its result. The edit must not be used again.
func (e *edit) freeze() documents { return e.documents }
