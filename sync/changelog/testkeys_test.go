package changelog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
)

// Two installations. Their keys come from seeds, so that what they sign is the
// same in every run.
const (
	installationA = "0123456789abcdef0123456789abcdef"
	installationB = "fedcba9876543210fedcba9876543210"
)

// testKey is a key pair, spelled without the code that is tested.
type testKey struct {
	secret, public string
	private        ed25519.PrivateKey
	id             uint32
}

func newTestKey(installation string, seed byte) testKey {
	name := "flagside/" + installation
	raw := make([]byte, ed25519.SeedSize)
	for i := range raw {
		raw[i] = seed + byte(i)
	}
	private := ed25519.NewKeyFromSeed(raw)
	public := append([]byte{1}, private.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), public...))
	id := binary.BigEndian.Uint32(sum[:])
	encode := base64.StdEncoding.EncodeToString
	return testKey{
		secret:  fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, id, encode(append([]byte{1}, raw...))),
		public:  fmt.Sprintf("%s+%08x+%s", name, id, encode(public)),
		private: private,
		id:      id,
	}
}

// sign returns the proof of a text.
func (k testKey) sign(text string) Signature {
	raw := binary.BigEndian.AppendUint32(nil, k.id)
	return Signature(base64.StdEncoding.EncodeToString(append(raw, ed25519.Sign(k.private, []byte(text))...)))
}

func (k testKey) signer(tb testing.TB) *Signer {
	tb.Helper()
	s, err := NewSigner(k.secret + "\n")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// testKeys are the keys of an installation.
type testKeys struct {
	installation string
	root         testKey
	signing      [24]testKey // keys notes of tests list some of them
	unknown      testKey     // well named, and in no keys note
}

func newTestKeys(installation string) testKeys {
	k := testKeys{installation: installation, root: newTestKey(installation, 1), unknown: newTestKey(installation, 99)}
	for i := range k.signing {
		k.signing[i] = newTestKey(installation, byte(10+i))
	}
	return k
}

var (
	keysA = sync.OnceValue(func() testKeys { return newTestKeys(installationA) })
	keysB = sync.OnceValue(func() testKeys { return newTestKeys(installationB) })
)

// note returns a keys note with some of the signing keys.
func (k testKeys) note(tb testing.TB, version uint64, keys ...int) KeysNote {
	tb.Helper()
	public := make([]string, len(keys))
	for i, number := range keys {
		public[i] = k.signing[number].public
	}
	n, err := NewKeysNote(k.installation, version, k.root.secret, public...)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func (k testKeys) trust(tb testing.TB) Trust {
	tb.Helper()
	t, err := ParseTrust([]byte(k.root.public + "\n"))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// cold returns a keyring that knows the root key and no keys note.
func (k testKeys) cold(tb testing.TB) *Keyring {
	tb.Helper()
	return NewKeyring(k.trust(tb))
}

// keyring returns a keyring that knows version 1, with the first signing key.
func (k testKeys) keyring(tb testing.TB) *Keyring {
	tb.Helper()
	ring := k.cold(tb)
	adopt(tb, ring, k.note(tb, 1, 0))
	return ring
}

func adopt(tb testing.TB, k *Keyring, n KeysNote) {
	tb.Helper()
	if err := k.Adopt(n.Text); err != nil {
		tb.Fatal(err)
	}
}
