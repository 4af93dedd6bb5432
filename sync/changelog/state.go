package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/flagside/flagside/document"
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

// hashOf returns what a document counts for in the state. Each part is preceded by
// its length as eight bytes, big-endian, so that no two different documents hash
// the same bytes.
func hashOf(d document.Document) Digest {
	var room [1 << 10]byte // enough for most documents
	b := room[:0]
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(d.Kind))), d.Kind...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(d.Key))), d.Key...)
	b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, 8), d.Revision)
	b = binary.BigEndian.AppendUint64(b, uint64(len(d.Body)))
	if len(d.Body) <= cap(b)-len(b) {
		return sha256.Sum256(append(b, d.Body...))
	}
	h := sha256.New()
	h.Write(b)
	h.Write(d.Body)
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
	edits   []bucketEdit
	open    [stateBuckets]uint16 // one more than the place of a bucket in edits; 0 is not edited
}

// bucketEdit is a copy of a bucket that may be changed.
type bucketEdit struct {
	bucket byte
	hashes []Digest // not sorted
}

// Add adds a document.
func (e *StateEdit) Add(d document.Document) {
	hash := hashOf(d)
	edit := e.edit(hash[0])
	edit.hashes = append(edit.hashes, hash)
	e.count++
}

// Remove takes out a document that was added before, with exactly its revision
// and its body.
func (e *StateEdit) Remove(d document.Document) {
	hash := hashOf(d)
	edit := e.edit(hash[0])
	if i := slices.Index(edit.hashes, hash); i >= 0 {
		edit.hashes = slices.Delete(edit.hashes, i, i+1)
		e.count--
	}
}

// edit returns the edit of a bucket, valid until the next call.
func (e *StateEdit) edit(n byte) *bucketEdit {
	if e.open[n] == 0 {
		edit := bucketEdit{bucket: n}
		if b := e.buckets[n]; b != nil {
			edit.hashes = append(make([]Digest, 0, len(b.hashes)+1), b.hashes...)
		}
		e.edits = append(e.edits, edit)
		e.open[n] = uint16(len(e.edits)) // at most stateBuckets
	}
	return &e.edits[e.open[n]-1]
}

// State ends the edit and returns its result. The edit must not be used again.
func (e *StateEdit) State() State {
	s := State{count: e.count, buckets: new(e.buckets)}
	for _, edit := range e.edits {
		s.buckets[edit.bucket] = newBucket(edit.hashes)
	}
	return s
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
