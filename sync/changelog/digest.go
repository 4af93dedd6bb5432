package changelog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256 sum. The zero value stands for "nothing": it is what the
// first entry of a log names as its predecessor and the state digest of an
// environment without documents.
type Digest [sha256.Size]byte

// Sum returns the digest of data.
func Sum(data []byte) Digest { return sha256.Sum256(data) }

// String returns the digest in lower-case hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d is the zero digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText encodes the digest in lower-case hexadecimal.
func (d Digest) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, d[:]), nil
}

// UnmarshalText decodes exactly 64 lower-case hexadecimal digits. After an error
// d is what it was.
func (d *Digest) UnmarshalText(text []byte) error {
	var sum Digest
	if len(text) != hex.EncodedLen(len(sum)) {
		return fmt.Errorf("digest has %d characters, want %d", len(text), hex.EncodedLen(len(sum)))
	}
	if !lowerHex(string(text)) {
		return fmt.Errorf("digest %q is not in lower-case hexadecimal", text)
	}
	if _, err := hex.Decode(sum[:], text); err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	*d = sum
	return nil
}

// Toggle adds a document to a state digest, or takes it out again: the state
// digest of an environment is the exclusive or of the digests of its live
// documents, so the order in which they came does not matter.
//
// Each part is preceded by its length as eight bytes, big-endian, so that no
// two different documents hash the same bytes.
func (d Digest) Toggle(doc Document) Digest {
	h := sha256.New()
	part := func(p []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	part([]byte(doc.Kind))
	part([]byte(doc.Key))
	var revision [8]byte
	binary.BigEndian.PutUint64(revision[:], doc.Revision)
	part(revision[:])
	part(doc.Body)

	var sum Digest
	h.Sum(sum[:0])
	for i := range d {
		d[i] ^= sum[i]
	}
	return d
}
