package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	idLength    = 13 // characters of base32: 65 random bits
	secretBytes = 32
	idAlphabet  = "abcdefghijklmnopqrstuvwxyz234567"
)

// credential is what a cookie holds: the id of a session, which is no secret, and 256 random bits.
type credential struct{ id, secret string }

// newCredential makes one up.
func newCredential() credential {
	return credential{id: strings.ToLower(rand.Text()[:idLength]), secret: newSecret()}
}

// newSecret returns 256 random bits as text.
func newSecret() string {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random)
}

// String returns the value of the cookie.
func (c credential) String() string { return c.id + "." + c.secret }

// parseCredential reads the value of a cookie.
func parseCredential(value string) (c credential, ok bool) {
	id, secret, _ := strings.Cut(value, ".")
	if !isID(id) || len(secret) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return credential{}, false
	}
	if _, err := base64.RawURLEncoding.DecodeString(secret); err != nil {
		return credential{}, false
	}
	return credential{id: id, secret: secret}, true
}

// isID reports whether text has the form of the id of a session.
func isID(text string) bool { return len(text) == idLength && strings.Trim(text, idAlphabet) == "" }

// hash returns the SHA-256 of the secret. It is random, so nothing slower is needed.
func (c credential) hash() changelog.Digest { return sha256.Sum256([]byte(c.secret)) }

// opens reports whether the secret is the one with a hash.
func (c credential) opens(hash changelog.Digest) bool {
	given := c.hash()
	return subtle.ConstantTimeCompare(given[:], hash[:]) == 1
}

// ownerOf returns the part of the keys of all sessions of a principal, by what policies call it.
func ownerOf(policyID string) string {
	sum := sha256.Sum256([]byte(policyID))
	return hex.EncodeToString(sum[:16])
}
