package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"strings"
)

// secretPrefix begins every API token, so that people and scanners know one when they see it.
const secretPrefix = "flagside_"

const (
	idBytes     = 8  // make 13 characters
	secretBytes = 32 // make 52 characters
	hintLength  = 4
)

// hash is the SHA-256 of a whole secret. The secret is random, so nothing slower is needed.
type hash [sha256.Size]byte

func hashOf(secret string) hash { return sha256.Sum256([]byte(secret)) }

// MarshalText writes the hash in hexadecimal digits.
func (h hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (h *hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errors.New("a hash of a token must have 64 hexadecimal digits")
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// textEncoding is base32 in lower case: nothing in it has to be escaped anywhere, and a double click selects all of it.
func textEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// newSecret returns a new API token, "flagside_<id>_<256 random bits>", and its id.
func newSecret() (id, secret string) {
	random := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(random) // never fails
	id = textEncoding().EncodeToString(random[:idBytes])
	return id, secretPrefix + id + "_" + textEncoding().EncodeToString(random[idBytes:])
}

// NewSecret returns a token of the same form as API tokens that no journal knows, for a FixedToken.
func NewSecret() string {
	_, secret := newSecret()
	return secret
}

// splitSecret returns the id in an API token, and whether the token has the form of one.
func splitSecret(secret string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return "", false
	}
	id, random, ok := strings.Cut(rest, "_")
	encoding := textEncoding()
	if !ok || len(id) != encoding.EncodedLen(idBytes) || len(random) != encoding.EncodedLen(secretBytes) {
		return "", false
	}
	if _, err := encoding.DecodeString(id); err != nil {
		return "", false
	}
	if _, err := encoding.DecodeString(random); err != nil {
		return "", false
	}
	return id, true
}
