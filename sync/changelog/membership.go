package changelog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/document"
)

// Membership proves that documents belong to a state, by what its digest was made
// of: see [State]. The zero value proves nothing.
type Membership struct {
	Count   int          `json:"count"`   // of documents in the state
	Sums    []Digest     `json:"sums"`    // of all buckets
	Buckets []BucketList `json:"buckets"` // that hold the documents
}

// BucketList is the content of one bucket.
type BucketList struct {
	Index  int      `json:"index"`
	Hashes []Digest `json:"hashes"` // sorted
}

// ErrMembership means that documents are not proved to belong to a state.
var ErrMembership = errors.New("the documents are not proved to belong to the state")

// Membership returns what proves that documents belong to s.
func (s State) Membership(documents []document.Document) Membership {
	m := Membership{Count: s.count, Sums: make([]Digest, stateBuckets)}
	for i := range m.Sums {
		m.Sums[i] = emptyBucket
		if s.buckets != nil && s.buckets[i] != nil {
			m.Sums[i] = s.buckets[i].sum
		}
	}
	var needed [stateBuckets]bool
	for _, d := range documents {
		needed[hashOf(d)[0]] = true
	}
	for i, is := range needed {
		if is && s.buckets != nil && s.buckets[i] != nil {
			m.Buckets = append(m.Buckets, BucketList{Index: i, Hashes: s.buckets[i].hashes})
		}
	}
	return m
}

// Verify returns [ErrMembership] unless all documents belong to the state with a
// digest.
func (m Membership) Verify(documents []document.Document, state Digest) error {
	if len(m.Sums) != stateBuckets || m.Count < 0 {
		return fmt.Errorf("%w: %d sums, %d documents", ErrMembership, len(m.Sums), m.Count)
	}
	h := sha256.New()
	h.Write([]byte(stateMagic))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(m.Count)))
	for i := range m.Sums {
		h.Write(m.Sums[i][:])
	}
	if Digest(h.Sum(nil)) != state {
		return fmt.Errorf("%w: the sums are of another one", ErrMembership)
	}
	for _, d := range documents {
		hash := hashOf(d)
		i := slices.IndexFunc(m.Buckets, func(b BucketList) bool { return b.Index == int(hash[0]) })
		if i < 0 || !slices.Contains(m.Buckets[i].Hashes, hash) || sumOf(m.Buckets[i].Hashes) != m.Sums[hash[0]] {
			return fmt.Errorf("%w: %s", ErrMembership, d.ID())
		}
	}
	return nil
}

func sumOf(hashes []Digest) Digest {
	h := sha256.New()
	for i := range hashes {
		h.Write(hashes[i][:])
	}
	return Digest(h.Sum(nil))
}
