package changelog

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"
)

// ProofHeader is the header of a message that carries its proof: of an entry the
// epoch, the state or "-", and the signature, parted by spaces; of everything
// else the signature alone.
const ProofHeader = "Flagside-Proof"

// signatureBytes is a key id of 4 bytes and an Ed25519 signature of 64.
const signatureBytes = 4 + 64

// noState stands in the place of a state digest where there is none.
const noState = "-"

// Signature is the signature line of a C2SP signed note without its name:
// base64 of the key's id and the Ed25519 signature.
type Signature string

func (s Signature) decode() (id uint32, signature [64]byte, err error) {
	var raw [signatureBytes + 1]byte // DecodedLen of padded text is a byte more
	if len(s) != base64.StdEncoding.EncodedLen(signatureBytes) {
		return 0, signature, fmt.Errorf("%w: the proof has %d characters", ErrUnsigned, len(s))
	}
	n, err := base64.StdEncoding.Decode(raw[:], []byte(s))
	if err != nil || n != signatureBytes {
		return 0, signature, fmt.Errorf("%w: the proof is not base64", ErrUnsigned)
	}
	copy(signature[:], raw[4:n])
	return binary.BigEndian.Uint32(raw[:4]), signature, nil
}

// Kind of what is signed, but for entries. Every signed text names its kind, so
// that none can stand for another.
type signedKind string

const (
	signedHeartbeat signedKind = "heartbeat"
	signedManifest  signedKind = "manifest"
	signedPreview   signedKind = "preview"
)

// Head is a position, the state there, and the signature of the entry, which
// proves both.
type Head struct {
	Position
	State     Digest    `json:"state"`
	Signature Signature `json:"signature"`
}

// textRoom is how long texts that are signed usually are at most, with the
// signature.
const textRoom = 512

// entryText is what a publisher signs of an entry; state is zero for all but the
// last of a transaction.
func entryText(installation, environment string, p Position, state Digest) []byte {
	return appendEntryText(make([]byte, 0, textRoom), installation, environment, p, state)
}

func appendEntryText(text []byte, installation, environment string, p Position, state Digest) []byte {
	text = append(text, "flagside entry 2\n"...)
	text = append(append(text, installation...), '\n')
	text = append(append(text, environment...), '\n')
	text = append(append(text, p.Epoch...), '\n')
	text = append(strconv.AppendUint(text, p.Revision, 10), '\n')
	text = append(hex.AppendEncode(text, p.Digest[:]), '\n')
	return append(appendState(text, state), '\n')
}

func appendState(text []byte, state Digest) []byte {
	if state.IsZero() {
		return append(text, noState...)
	}
	return hex.AppendEncode(text, state[:])
}

// recordText is what a publisher signs of a record of a journal.
func recordText(installation, stream string, a Anchor) []byte {
	text := append(make([]byte, 0, textRoom), "flagside record 2\n"...)
	text = append(append(text, installation...), '\n')
	text = append(append(text, stream...), '\n')
	text = append(strconv.AppendUint(text, a.Sequence, 10), '\n')
	return append(hex.AppendEncode(text, a.Digest[:]), '\n')
}

// documentText is what a publisher signs of a heartbeat, a manifest, a question
// for an impact preview, or a session, whose id stands in the place of the environment.
func documentText(kind signedKind, installation, environment string, digest Digest) []byte {
	text := append(make([]byte, 0, textRoom), "flagside "...)
	text = append(append(text, kind...), " 2\n"...)
	text = append(append(text, installation...), '\n')
	text = append(append(text, environment...), '\n')
	return append(hex.AppendEncode(text, digest[:]), '\n')
}

// NoteOf returns a text and its signature as a signed note, which other tools can
// verify.
func noteOf(installation string, text []byte, s Signature) string {
	return string(text) + "\n— " + keyNamePrefix + installation + " " + string(s) + "\n"
}

// EntryNote returns the proof of an entry as a signed note.
func EntryNote(installation, environment string, h Head) string {
	return noteOf(installation, entryText(installation, environment, h.Position, h.State), h.Signature)
}

// RecordNote returns the proof of a record as a signed note.
func RecordNote(installation, stream string, a Anchor, s Signature) string {
	return noteOf(installation, recordText(installation, stream, a), s)
}

// VerifyHead returns [ErrUnsigned] unless a publisher signed the position and
// the state of an environment.
func (k *Keyring) VerifyHead(environment string, h Head) error {
	var room [textRoom]byte
	return k.verify(appendEntryText(room[:0], k.trust.installation, environment, h.Position, h.State), h.Signature)
}

// VerifyPastHead is [Keyring.VerifyHead] with the keys of all keys notes that
// were adopted, older ones too. It is for showing the past.
func (k *Keyring) VerifyPastHead(environment string, h Head) error {
	return k.verifyPast(entryText(k.trust.installation, environment, h.Position, h.State), h.Signature)
}

// VerifyRecord returns [ErrUnsigned] unless a publisher signed a record at its
// place in the stream of a journal.
func (k *Keyring) VerifyRecord(stream string, a Anchor, s Signature) error {
	return k.verify(recordText(k.trust.installation, stream, a), s)
}

// Signer signs for one installation with one key at a time. It is safe for
// concurrent use.
type Signer struct {
	key          atomic.Pointer[note.Signer]
	installation string
}

// NewSigner returns the signer of a key in its secret form.
func NewSigner(secret string) (*Signer, error) {
	signer, err := note.NewSigner(strings.TrimSpace(secret))
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	installation, err := installationOf(signer.Name())
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	s := &Signer{installation: installation}
	s.key.Store(&signer)
	return s, nil
}

// ID returns the id of the key that signs now, as keys notes list it.
func (s *Signer) ID() uint32 { return (*s.key.Load()).KeyHash() }

// Rotate lets s sign with the key of next from now on, so that everything that
// holds s does. It refuses a key of another installation.
func (s *Signer) Rotate(next *Signer) error {
	if next.installation != s.installation {
		return fmt.Errorf("signing key: it is of installation %s, not of %s", next.installation, s.installation)
	}
	s.key.Store(next.key.Load())
	return nil
}

// Installation returns the id of the installation that the key is of.
func (s *Signer) Installation() string { return s.installation }

func (s *Signer) sign(text []byte) (Signature, error) {
	if s == nil {
		return "", errNoSigner
	}
	signer := *s.key.Load()
	signature, err := signer.Sign(text)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	raw := binary.BigEndian.AppendUint32(make([]byte, 0, signatureBytes), signer.KeyHash())
	return Signature(base64.StdEncoding.EncodeToString(append(raw, signature...))), nil
}

// SignHead returns h with the signature of an entry.
func (s *Signer) SignHead(environment string, h Head) (Head, error) {
	if s == nil {
		return Head{}, errNoSigner
	}
	var err error
	h.Signature, err = s.sign(entryText(s.installation, environment, h.Position, h.State))
	return h, err
}

// SignRecord returns the signature of a record at its place in the stream of a
// journal.
func (s *Signer) SignRecord(stream string, a Anchor) (Signature, error) {
	if s == nil {
		return "", errNoSigner
	}
	return s.sign(recordText(s.installation, stream, a))
}

// ProofText returns the value of [ProofHeader] of an entry.
func (h Head) ProofText() string {
	text := append(make([]byte, 0, 256), h.Epoch...)
	text = append(appendState(append(text, ' '), h.State), ' ')
	return string(append(text, h.Signature...))
}

// parseProof reads the value of [ProofHeader] of an entry.
func parseProof(text string) (epoch Epoch, state Digest, s Signature, err error) {
	first, rest, ok := strings.Cut(text, " ")
	second, third, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return "", state, "", fmt.Errorf("%w: it has no proof", ErrUnsigned)
	}
	if err := Epoch(first).Validate(); err != nil {
		return "", state, "", fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	if second != noState {
		if err := decodeDigest(&state, second); err != nil {
			return "", state, "", fmt.Errorf("%w: %w", ErrUnsigned, err)
		}
	}
	if len(third) != base64.StdEncoding.EncodedLen(signatureBytes) {
		return "", state, "", fmt.Errorf("%w: the proof has %d characters", ErrUnsigned, len(third))
	}
	return Epoch(first), state, Signature(third), nil
}
