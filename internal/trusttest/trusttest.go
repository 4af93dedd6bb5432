// Package trusttest has the keys of one installation for tests: the same for all tests of a process.
package trusttest

import (
	"sync"

	"github.com/flagside/flagside/sync/changelog"
)

// Keys are the secrets of an installation.
type Keys struct {
	Installation string
	Root         string // secret
	RootPublic   string
	Signing      string // secret
	Note         changelog.KeysNote
	Trust        changelog.Trust
}

// New returns the keys of a new installation, whose trust file knows the root key only.
func New() Keys {
	k := Keys{Installation: changelog.NewInstallation()}
	var public string
	k.Root, k.RootPublic = generate(k.Installation)
	k.Signing, public = generate(k.Installation)
	k.Note = must(changelog.NewKeysNote(k.Installation, 1, k.Root, public))
	k.Trust = must(changelog.ParseTrust([]byte(k.RootPublic + "\n")))
	return k
}

// Keyring returns a keyring that trusts the root key and knows no keys note yet, as that of a sidecar.
func (k Keys) Keyring() *changelog.Keyring { return changelog.NewKeyring(k.Trust) }

// PublisherKeyring returns a keyring that knows the keys note, as that of a publisher.
func (k Keys) PublisherKeyring() *changelog.Keyring {
	ring := changelog.NewPublisherKeyring(k.Trust)
	if err := ring.Propose(k.Note.Text); err != nil {
		panic(err)
	}
	return ring
}

// Signer returns the signer.
func (k Keys) Signer() *changelog.Signer { return must(changelog.NewSigner(k.Signing)) }

// TrustText returns the text of a trust file with the keys note as a floor.
func (k Keys) TrustText() string { return k.RootPublic + "\n\n" + k.Note.Text }

// Default returns the keys that tests share unless they are about keys.
var Default = sync.OnceValue(New)

func generate(installation string) (secret, public string) {
	secret, public, err := changelog.GenerateKey(installation)
	if err != nil {
		panic(err)
	}
	return secret, public
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
