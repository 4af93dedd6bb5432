// Package exposurekey has the keys with which sidecars hash who was given a variant, so that it is known to none who has only the hash.
//
// # Concurrency properties
//
// A [Hasher] is safe for concurrent use. A [Key] must not be changed once it is in use.
package exposurekey

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"sync"
)

// Min is how many bytes a key has at least, and Max how many at most.
const (
	Min = 32
	Max = 1 << 10
)

// Key is the key for exposures of an environment. All its sidecars have the same, and publishers have none: who a subject is can be found out only
// by who holds the key, for targeting keys that they guess.
type Key []byte

// New returns a random key.
func New() Key {
	k := make(Key, Min)
	_, _ = rand.Read(k) // it never fails
	return k
}

// Parse reads the text of a file with a key: base64 (RFC 4648, section 4) of 32 bytes or more, with white space around it. Errors do not quote it.
func Parse(text []byte) (Key, error) {
	k, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	switch {
	case err != nil:
		return nil, errors.New("it is not base64: make a key with openssl rand -base64 32")
	case len(k) < Min:
		return nil, errors.New("the key is shorter than 32 bytes: make one with openssl rand -base64 32")
	case len(k) > Max:
		return nil, errors.New("the key is longer than 1024 bytes: make one with openssl rand -base64 32")
	}
	return k, nil
}

// Text returns the text of a file with the key, which Parse reads.
func (k Key) Text() []byte {
	return append(base64.StdEncoding.AppendEncode(nil, k), '\n')
}

// Hasher returns what hashes the subjects of an environment.
func (k Key) Hasher(environment string) *Hasher {
	prefix := appendText(nil, environment)
	return &Hasher{free: sync.Pool{New: func() any {
		return &hashing{Hash: hmac.New(sha256.New, k), text: bytes.Clone(prefix), prefix: len(prefix)}
	}}}
}

// Hasher hashes subjects: HMAC-SHA-256 with the key over the environment and the targeting key, each after its length in bytes (32 bits, the highest
// first).
type Hasher struct{ free sync.Pool } // of *hashing

// hashing is the working memory of one hash.
type hashing struct {
	hash.Hash

	text   []byte // what is hashed, which begins with the environment
	prefix int    // how much of it that is
}

// Subject returns the hash of a targeting key. Exposures and outcomes have it in hexadecimal.
func (h *Hasher) Subject(targetingKey string) (sum [sha256.Size]byte) {
	one := h.free.Get().(*hashing)
	defer h.free.Put(one)
	one.text = appendText(one.text[:one.prefix], targetingKey)
	one.Reset()
	_, _ = one.Write(one.text) // it never fails
	one.Sum(sum[:0])
	clear(one.text[one.prefix:])
	return sum
}

func appendText(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text))) // #nosec G115 -- a request has far fewer
	return append(b, text...)
}
