package changelog

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// NewInstallation returns the random id of a new installation.
func NewInstallation() string {
	var id [installationDigits / 2]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(id[:])
}

// GenerateKey returns a new key of an installation, root or signing, in its
// secret and in its public form.
func GenerateKey(installation string) (secret, public string, err error) {
	secret, public, err = note.GenerateKey(rand.Reader, keyNamePrefix+installation)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	return secret, public, nil
}

// NewKeysNote returns the keys note of a version that lists public keys, signed
// by a root key in its secret form.
func NewKeysNote(installation string, version uint64, root string, keys ...string) (KeysNote, error) {
	return KeysNote{Installation: installation, Version: version, Requires: format, Keys: keys}.Sign(root)
}
