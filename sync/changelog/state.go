package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// State is the set of the hashes of an environment's live documents, from which
// its state digest is made. It is immutable and safe for concurrent use; an
// edit shares what it does not change. The zero value is the state without
// documents.
//
// The state digest cannot be solved for: the hashes lie in 256 buckets by their
// first byte, sorted, and the digest is
//
//	SHA-256("flagside state 2\n" || count as 8 bytes, big-endian || SHA-256 of each bucket)
type State struct {
	count   int
	buckets *[stateBuckets]*bucket // nil is empty
}

const (
	stateBuckets = 256
	stateMagic   = "flagside state 2\n"
)

// bucket is a sorted list of hashes, and what they sum up to.
type bucket struct {
	hashes []Digest
	sum    Digest
}

var emptyBucket = Sum(nil)

// hash returns what a document counts for in the state. Each part is preceded by
// its length as eight bytes, big-endian, so that no two different documents hash
// the same bytes.
func (d Document) hash() Digest {
	h := sha256.New()
	var number [8]byte
	part := func(p []byte) {
		binary.BigEndian.PutUint64(number[:], uint64(len(p)))
		h.Write(number[:])
		h.Write(p)
	}
	part([]byte(d.Kind))
	part([]byte(d.Key))
	var revision [8]byte
	binary.BigEndian.PutUint64(revision[:], d.Revision)
	part(revision[:])
	part(d.Body)
	var sum Digest
	h.Sum(sum[:0])
	return sum
}

// Digest returns the state digest.
func (s State) Digest() Digest {
	h := sha256.New()
	h.Write([]byte(stateMagic))
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], uint64(s.count))
	h.Write(count[:])
	for i := range stateBuckets {
		if s.buckets == nil || s.buckets[i] == nil {
			h.Write(emptyBucket[:])
			continue
		}
		h.Write(s.buckets[i].sum[:])
	}
	var sum Digest
	h.Sum(sum[:0])
	return sum
}

// Edit returns an edit that begins with s and leaves s as it is.
func (s State) Edit() *StateEdit {
	e := &StateEdit{count: s.count}
	if s.buckets != nil {
		e.buckets = *s.buckets
	}
	return e
}

// StateEdit is a state in the making. It belongs to one goroutine.
type StateEdit struct {
	count   int
	buckets [stateBuckets]*bucket
	edited  [stateBuckets][]Digest // copies that may be changed, not sorted
	open    [stateBuckets]bool     // which of them are
}

// Add adds a document.
func (e *StateEdit) Add(d Document) {
	hash := d.hash()
	e.own(hash[0])
	e.edited[hash[0]] = append(e.edited[hash[0]], hash)
	e.count++
}

// Remove takes out a document that was added before, with exactly its revision
// and its body.
func (e *StateEdit) Remove(d Document) {
	hash := d.hash()
	e.own(hash[0])
	if i := slices.Index(e.edited[hash[0]], hash); i >= 0 {
		e.edited[hash[0]] = slices.Delete(e.edited[hash[0]], i, i+1)
		e.count--
	}
}

func (e *StateEdit) own(n byte) {
	if e.open[n] {
		return
	}
	e.open[n] = true
	if e.buckets[n] != nil {
		held := e.buckets[n].hashes
		e.edited[n] = append(make([]Digest, 0, len(held)+1), held...)
	}
}

// State ends the edit and returns its result. The edit must not be used again.
func (e *StateEdit) State() State {
	for n := range e.open {
		if e.open[n] {
			e.buckets[n] = newBucket(e.edited[n])
		}
	}
	return State{count: e.count, buckets: &e.buckets}
}

func newBucket(hashes []Digest) *bucket {
	if len(hashes) == 0 {
		return nil
	}
	slices.SortFunc(hashes, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	for i := range hashes {
		h.Write(hashes[i][:])
	}
	b := &bucket{hashes: hashes}
	h.Sum(b.sum[:0])
	return b
}
