package changelog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256 sum. The zero value stands for "nothing": it is what the
// first entry of a log names as its predecessor.
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
