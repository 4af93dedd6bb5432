package changelog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const checkpointMagic = "flagside checkpoint 2\n"

// maxCheckpoint bounds the text of a checkpoint, in bytes.
const maxCheckpoint = 1 << 20

// ErrCheckpoint means that a text is no checkpoint of this installation.
var ErrCheckpoint = errors.New("not a checkpoint of this installation")

// Checkpoint says how far streams went at a time. Kept where publishers cannot
// change it, it contradicts a history that was shortened or rewritten since.
//
//	flagside checkpoint 2
//	<installation>
//	<time, RFC 3339, UTC>
//	<stream> <epoch or -> <sequence> <digest>
//	...
type Checkpoint struct {
	Time  time.Time
	Heads []StreamHead
}

// StreamHead is the newest record of a stream.
type StreamHead struct {
	Stream string
	Epoch  Epoch // "" for journals
	Anchor
}

// SignCheckpoint returns a checkpoint as a signed note.
func (s *Signer) SignCheckpoint(c Checkpoint) (string, error) {
	if s == nil {
		return "", errNoSigner
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s\n%s\n", checkpointMagic, s.installation, c.Time.UTC().Format(time.RFC3339))
	for _, h := range c.Heads {
		epoch := string(h.Epoch)
		if epoch == "" {
			epoch = "-"
		}
		fmt.Fprintf(&text, "%s %s %d %s\n", h.Stream, epoch, h.Sequence, h.Digest)
	}
	signature, err := s.sign([]byte(text.String()))
	if err != nil {
		return "", err
	}
	return noteOf(s.installation, []byte(text.String()), signature), nil
}

// OpenCheckpoint returns a checkpoint that a key of the newest adopted keys note
// signed. It fails with [ErrCheckpoint].
func (k *Keyring) OpenCheckpoint(signed string) (Checkpoint, error) {
	return k.openCheckpoint(signed, k.verify)
}

// OpenPastCheckpoint is [Keyring.OpenCheckpoint] with the keys of all keys notes
// that were adopted, older ones too. It is for checkpoints that were kept where
// the owner of a revoked key could not write.
func (k *Keyring) OpenPastCheckpoint(signed string) (Checkpoint, error) {
	return k.openCheckpoint(signed, k.verifyPast)
}

func (k *Keyring) openCheckpoint(signed string, verify func([]byte, Signature) error) (Checkpoint, error) {
	text, signature, err := k.splitNote(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := verify([]byte(text), signature); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseCheckpoint(text, k.trust.installation)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return c, nil
}

// splitNote parts the text of a signed note from the one signature of the
// installation.
func (k *Keyring) splitNote(signed string) (text string, s Signature, err error) {
	if len(signed) > maxCheckpoint {
		return "", "", fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrCheckpoint, len(signed), maxCheckpoint)
	}
	text, line, ok := strings.Cut(signed, "\n\n")
	line, ok2 := strings.CutPrefix(line, "— "+keyNamePrefix+k.trust.installation+" ")
	line, ok3 := strings.CutSuffix(line, "\n")
	if !ok || !ok2 || !ok3 || strings.Contains(line, "\n") {
		return "", "", fmt.Errorf("%w: it is not a note with one signature", ErrCheckpoint)
	}
	return text + "\n", Signature(line), nil
}

func parseCheckpoint(text, installation string) (Checkpoint, error) {
	rest, ok := strings.CutPrefix(text, checkpointMagic+installation+"\n")
	if !ok {
		return Checkpoint{}, errors.New("it does not begin as one")
	}
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	at, err := time.Parse(time.RFC3339, lines[0])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("its time: %w", err)
	}
	c := Checkpoint{Time: at}
	for _, line := range lines[1:] {
		h, err := parseStreamHead(line)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("the line %.100q: %w", line, err)
		}
		c.Heads = append(c.Heads, h)
	}
	return c, nil
}

func parseStreamHead(line string) (StreamHead, error) {
	fields := strings.Split(line, " ")
	if len(fields) != 4 || fields[0] == "" {
		return StreamHead{}, errors.New("want a stream, an epoch, a sequence and a digest")
	}
	h := StreamHead{Stream: fields[0]}
	var err error
	if fields[1] != "-" {
		h.Epoch = Epoch(fields[1])
		if err := h.Epoch.Validate(); err != nil {
			return StreamHead{}, err
		}
	}
	if h.Sequence, err = strconv.ParseUint(fields[2], 10, 64); err != nil {
		return StreamHead{}, err
	}
	return h, h.Digest.UnmarshalText([]byte(fields[3]))
}
