package changelog

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key is the public part of a key of an installation, root or signing.
type Key struct {
	ID           uint32
	Installation string
	Public       string // verifier key, as trust files and keys notes list it
}

// String returns the id of the key as people read and write it: 8 hexadecimal
// digits.
func (k Key) String() string { return fmt.Sprintf("%08x", k.ID) }

// ParseKey reads a key in its public form.
func ParseKey(public string) (Key, error) {
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return Key{}, fmt.Errorf("%q is no verifier key: %w", public, err)
	}
	installation, err := installationOf(verifier.Name())
	if err != nil {
		return Key{}, err
	}
	return Key{ID: verifier.KeyHash(), Installation: installation, Public: public}, nil
}

// errSecret never repeats what could not be read: it may be a secret.
var errSecret = errors.New("it is no key in its secret form")

// ParseSecret reads a key in its secret form, and returns its public part.
func ParseSecret(secret string) (Key, error) {
	secret = strings.TrimSpace(secret)
	signer, err := note.NewSigner(secret)
	if err != nil {
		return Key{}, errSecret
	}
	parts := strings.SplitN(secret, "+", 5) // PRIVATE, KEY, name, id, algorithm and seed
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return Key{}, errSecret // impossible: the signer was made from it
	}
	private := ed25519.NewKeyFromSeed(seed[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), private.Public().(ed25519.PublicKey))
	if err != nil {
		return Key{}, errSecret
	}
	return ParseKey(public)
}

// PublicKeys returns the keys that the note lists.
func (n KeysNote) PublicKeys() []Key {
	all := make([]Key, 0, len(n.Keys))
	for _, public := range n.Keys {
		if key, err := ParseKey(public); err == nil { // else the note would not have been read
			all = append(all, key)
		}
	}
	return all
}

// WithFloor returns t with the text of a keys note that is known at least, in
// place of the one that it has. It fails with [ErrKeysNote] for what no trusted
// root signed.
func (t Trust) WithFloor(text string) (Trust, error) {
	if _, err := t.open(text); err != nil {
		return Trust{}, err
	}
	roots, _ := splitTrust(t.text)
	return ParseTrust([]byte(strings.TrimRight(roots, "\n") + "\n\n" + text))
}

// Floor returns the keys note of the trust file, the zero value if it has none.
func (t Trust) Floor() KeysNote {
	if t.floor == nil {
		return KeysNote{}
	}
	return *t.floor
}

// Roots returns the root keys that are trusted.
func (t Trust) Roots() []Key {
	roots, _ := splitTrust(t.text)
	var all []Key
	for line := range strings.Lines(roots) {
		if key, err := ParseKey(strings.TrimSpace(line)); err == nil {
			all = append(all, key)
		}
	}
	return all
}
