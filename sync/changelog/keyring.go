package changelog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync"

	"golang.org/x/mod/sumdb/note"
)

// keptVerdicts is how many signatures that were found good are remembered, for
// followers of one process that read the same messages.
const keptVerdicts = 1024

// Keyring decides what is proved: it holds the newest keys note that it was
// shown. It is safe for concurrent use. Make one with [NewKeyring].
type Keyring struct {
	trust Trust

	mu       sync.RWMutex
	note     *KeysNote                // nil before the first
	retired  map[uint32]note.Verifier // of all notes that were shown; for records of the past
	verdicts map[[sha256.Size]byte]struct{}
}

// NewKeyring returns a keyring that trusts t, and knows its keys note if it has
// one.
func NewKeyring(t Trust) *Keyring {
	k := &Keyring{trust: t, retired: make(map[uint32]note.Verifier), verdicts: make(map[[sha256.Size]byte]struct{})}
	if t.floor != nil {
		k.take(t.floor)
	}
	return k
}

// Installation returns the id of the installation that is trusted.
func (k *Keyring) Installation() string { return k.trust.installation }

// Trust returns what the keyring began with.
func (k *Keyring) Trust() Trust { return k.trust }

// Note returns the keys note that counts, the zero value before the first.
func (k *Keyring) Note() KeysNote {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.note == nil {
		return KeysNote{}
	}
	return *k.note
}

// Adopt takes over the text of a keys note, unless it is not newer than the one
// that counts. It fails with [ErrKeysNote] for what no trusted root signed.
func (k *Keyring) Adopt(text string) error {
	k.mu.RLock()
	known := k.note != nil && k.note.Text == text
	k.mu.RUnlock()
	if known {
		return nil
	}
	n, err := k.trust.open(text)
	if err != nil {
		return err
	}
	k.take(n)
	return nil
}

func (k *Keyring) take(n *KeysNote) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.Copy(k.retired, n.verifiers)
	if k.note != nil && k.note.Version >= n.Version {
		return
	}
	k.note = n
	clear(k.verdicts) // some may be of keys that no longer count
}

// Supported returns [ErrRequires] when the keys note asks for more than this
// package knows: what is signed in another way looks like noise here.
func (k *Keyring) Supported() error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.note != nil && k.note.Requires > format {
		return fmt.Errorf("%w: format %d, this one knows %d: update it", ErrRequires, k.note.Requires, format)
	}
	return nil
}

// Signs reports whether a key with this id may sign now.
func (k *Keyring) Signs(id uint32) bool {
	_, known := k.verifier(id)
	return known
}

func (k *Keyring) verifier(id uint32) (note.Verifier, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.note == nil {
		return nil, false
	}
	v, ok := k.note.verifiers[id]
	return v, ok
}

// verify returns [ErrUnsigned] unless a key that counts signed the text.
func (k *Keyring) verify(text []byte, s Signature) error {
	id, signature, err := s.decode()
	if err != nil {
		return err
	}
	v, known := k.verifier(id)
	if !known {
		return fmt.Errorf("%w: key %08x is not in the keys note", ErrUnsigned, id)
	}
	question := verdictKey(text, s)
	if k.verified(question) {
		return nil
	}
	if !v.Verify(text, signature[:]) {
		return fmt.Errorf("%w: the signature of key %08x does not fit", ErrUnsigned, id)
	}
	k.remember(question)
	return nil
}

// verifyPast is verify with every key that any keys note listed. It is for
// showing what was, never for deciding what is.
func (k *Keyring) verifyPast(text []byte, s Signature) error {
	id, signature, err := s.decode()
	if err != nil {
		return err
	}
	k.mu.RLock()
	v, known := k.retired[id]
	k.mu.RUnlock()
	if !known || !v.Verify(text, signature[:]) {
		return fmt.Errorf("%w: key %08x", ErrUnsigned, id)
	}
	return nil
}

// signedBefore reports whether a key that is not listed any more signed a head.
func (k *Keyring) signedBefore(environment string, h Head) bool {
	id, _, err := h.Signature.decode()
	return err == nil && !k.Signs(id) && k.VerifyPastHead(environment, h) == nil
}

func verdictKey(text []byte, s Signature) [sha256.Size]byte {
	h := sha256.New()
	h.Write(text)
	h.Write([]byte(s))
	return [sha256.Size]byte(h.Sum(nil))
}

func (k *Keyring) verified(question [sha256.Size]byte) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.verdicts[question]
	return ok
}

func (k *Keyring) remember(question [sha256.Size]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.verdicts) >= keptVerdicts {
		clear(k.verdicts)
	}
	k.verdicts[question] = struct{}{}
}

// errNoSigner is returned by what has to sign and cannot.
var errNoSigner = errors.New("there is no signing key: only publishers have one")
