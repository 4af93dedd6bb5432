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
func (d *Digest) UnmarshalText(text []byte) error { return decodeDigest(d, text) }

// decodeDigest is [Digest.UnmarshalText] for strings, too: each entry has one that
// need not be copied for that.
func decodeDigest[text string | []byte](d *Digest, t text) error {
	var sum Digest
	if len(t) != hex.EncodedLen(len(sum)) {
		return fmt.Errorf("digest has %d characters, want %d", len(t), hex.EncodedLen(len(sum)))
	}
	for i := range sum {
		high, low := hexDigit(t[2*i]), hexDigit(t[2*i+1])
		if high|low > 0xf {
			return fmt.Errorf("digest %q is not in lower-case hexadecimal", string(t))
		}
		sum[i] = high<<4 | low
	}
	*d = sum
	return nil
}

// hexDigit returns the value of a lower-case hexadecimal digit, 0xff for anything
// else.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	default:
		return 0xff
	}
}

// lowerHex reports whether s has lower-case hexadecimal digits only.
func lowerHex(s string) bool {
	for i := range len(s) {
		if hexDigit(s[i]) > 0xf {
			return false
		}
	}
	return true
}
