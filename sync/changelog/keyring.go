package changelog

import (
	"bytes"
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
	notes    map[uint64]*KeysNote     // all that were shown, by version
	signs    bool                     // see [NewPublisherKeyring]
	shown    *KeysNote                // the newest that was read, and not only proposed; nil before the first
	retired  map[uint32]note.Verifier // of all notes that were shown; for records of the past
	verdicts map[[sha256.Size]byte]struct{}
}

// NewKeyring returns a keyring that trusts t, and knows its keys note if it has
// one.
func NewKeyring(t Trust) *Keyring {
	k := &Keyring{trust: t, retired: make(map[uint32]note.Verifier), notes: make(map[uint64]*KeysNote), verdicts: make(map[[sha256.Size]byte]struct{})}
	if t.floor != nil {
		k.take(t.floor)
		k.show(t.floor)
	}
	return k
}

// NewPublisherKeyring returns the keyring of a publisher, who writes keys notes into
// logs. For a publisher the keys that a new note drops count until it has read that note: what
// another publisher, who has not seen it, has written until then is part of the log.
//
// The same holds for each log and journal by itself: while it does not have the newest
// keys note, its own newest note counts for it, so that a publisher can go on where a
// history ends that was signed before a key was revoked. The publisher then writes the
// newest note there, and from that on only the keys in it count.
func NewPublisherKeyring(t Trust) *Keyring {
	k := NewKeyring(t)
	k.shown, k.signs = nil, true
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
	known := k.shown != nil && k.shown.Text == text
	k.mu.RUnlock()
	if known {
		return nil
	}
	n, err := k.trust.open(text)
	if err != nil {
		return err
	}
	k.take(n)
	k.show(n)
	return nil
}

// Propose is [Keyring.Adopt] of a publisher for a note that is to be written into
// logs, see [NewPublisherKeyring].
func (k *Keyring) Propose(text string) error {
	n, err := k.trust.open(text)
	if err == nil {
		k.take(n)
	}
	return err
}

// Shown returns the newest keys note that was read and not only proposed, the zero
// value before the first.
func (k *Keyring) Shown() KeysNote {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.shown == nil {
		return KeysNote{}
	}
	return *k.shown
}

// show takes note of a keys note that was read: what it does not list is retired.
func (k *Keyring) show(n *KeysNote) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shown == nil || k.shown.Version < n.Version {
		k.shown = n
		clear(k.verdicts)
	}
}

func (k *Keyring) take(n *KeysNote) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.Copy(k.retired, n.verifiers)
	k.notes[n.Version] = n
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
		return fmt.Errorf("%w: the note needs format %d, this program knows %d: upgrade it", ErrRequires, k.note.Requires, format)
	}
	return nil
}

// Signs reports whether a key with this id may sign now.
func (k *Keyring) Signs(id uint32) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.note != nil && k.note.verifiers[id] != nil
}

// verifier returns the key with an id, if it counts for what is read.
func (k *Keyring) verifier(id uint32) (note.Verifier, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, n := range []*KeysNote{k.note, k.shown} {
		if n == nil {
			continue
		}
		if v, ok := n.verifiers[id]; ok {
			return v, true
		}
	}
	return nil, false
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
	if !v.Verify(bytes.Clone(text), signature[:]) { // what is known needs no memory
		return fmt.Errorf("%w: the signature of key %08x does not fit", ErrUnsigned, id)
	}
	k.remember(question)
	return nil
}

// verifyUnder is verify with the keys note of a version, which is the newest of a
// history that lacks the one that counts. It is for publishers.
func (k *Keyring) verifyUnder(version uint64, text []byte, s Signature) error {
	id, signature, err := s.decode()
	if err != nil {
		return err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	n := k.notes[version]
	if !k.signs || n == nil || k.note == nil || version >= k.note.Version {
		return fmt.Errorf("%w: key %08x", ErrUnsigned, id)
	}
	if v, known := n.verifiers[id]; !known || !v.Verify(text, signature[:]) {
		return fmt.Errorf("%w: key %08x", ErrUnsigned, id)
	}
	return nil
}

// VerifyHeadUnder is [Keyring.VerifyHead] for a history whose newest keys note has
// a version, see [NewPublisherKeyring].
func (k *Keyring) VerifyHeadUnder(version uint64, environment string, h Head) error {
	if err := k.VerifyHead(environment, h); err == nil {
		return nil
	}
	return k.verifyUnder(version, entryText(k.trust.installation, environment, h.Position, h.State), h.Signature)
}

// verifyRecordUnder is [Keyring.VerifyHeadUnder] for a record.
func (k *Keyring) verifyRecordUnder(version uint64, stream string, a Anchor, s Signature) error {
	if err := k.VerifyRecord(stream, a, s); err == nil {
		return nil
	}
	return k.verifyUnder(version, recordText(k.trust.installation, stream, a), s)
}

// VersionOf returns the version of a keys note that was adopted, 0 for others.
func (k *Keyring) VersionOf(text string) uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for version, n := range k.notes {
		if n.Text == text {
			return version
		}
	}
	return 0
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

// RetiredHead reports whether a key signed a head that was listed once and is not any
// more: it proves nothing by itself, only what later keys have signed may continue
// it.
func (k *Keyring) RetiredHead(environment string, h Head) bool {
	id, _, err := h.Signature.decode()
	return err == nil && !k.Signs(id) && k.VerifyPastHead(environment, h) == nil
}

// RememberHead takes note of the signature of a head that the process has just made
// itself: when it reads the entry back, only whether the key still counts is decided.
func (k *Keyring) RememberHead(environment string, h Head) {
	k.remember(verdictKey(entryText(k.trust.installation, environment, h.Position, h.State), h.Signature))
}

func verdictKey(text []byte, s Signature) [sha256.Size]byte {
	return sha256.Sum256(append(text, s...))
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
