package changelog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	keysMagic = "flagside keys 2\n"
	// MaxSigningKeys is how many signing keys a keys note may list.
	MaxSigningKeys = 16
	maxKeysNote    = 8 << 10
	// format is the version of the signed texts that this package knows.
	format = 2
)

// KeysNote is the list of the keys that may sign, itself signed by a root key. Of
// several the one with the highest version counts.
//
//	flagside keys 2
//	<installation>
//	version 7
//	requires 2
//	sign <verifier key>
//	...
type KeysNote struct {
	Installation string
	Version      uint64   // 1 or more
	Requires     int      // least format that a reader must know
	Keys         []string // verifier keys, 1 to MaxSigningKeys
	Text         string   // the whole signed note; "" before it is signed

	verifiers map[uint32]note.Verifier
}

// body returns the text that is signed.
func (n KeysNote) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\nversion %d\nrequires %d\n", keysMagic, n.Installation, n.Version, n.Requires)
	for _, key := range n.Keys {
		fmt.Fprintf(&b, "sign %s\n", key)
	}
	return b.String()
}

// Sign returns the note signed by root keys in their secret form.
func (n KeysNote) Sign(roots ...string) (KeysNote, error) {
	signers := make([]note.Signer, 0, len(roots))
	for _, root := range roots {
		signer, err := note.NewSigner(strings.TrimSpace(root))
		if err != nil {
			return KeysNote{}, fmt.Errorf("root key: %w", err)
		}
		signers = append(signers, signer)
	}
	checked, err := parseKeysText(n.body())
	if err != nil {
		return KeysNote{}, fmt.Errorf("%w: %w", ErrKeysNote, err)
	}
	if !slices.Equal(checked.Keys, n.Keys) {
		return KeysNote{}, fmt.Errorf("%w: a signing key has several lines", ErrKeysNote)
	}
	signed, err := note.Sign(&note.Note{Text: n.body()}, signers...)
	if err != nil {
		return KeysNote{}, fmt.Errorf("sign the keys note: %w", err)
	}
	checked.Text = string(signed)
	return *checked, nil
}

// parseKeysText reads the signed part of a keys note.
func parseKeysText(text string) (*KeysNote, error) {
	rest, ok := strings.CutPrefix(text, keysMagic)
	if !ok {
		return nil, fmt.Errorf("it does not begin with %q", strings.TrimSpace(keysMagic))
	}
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	if len(lines) < 4 {
		return nil, fmt.Errorf("it has %d lines too few", 4-len(lines))
	}
	n := &KeysNote{Installation: lines[0], verifiers: make(map[uint32]note.Verifier)}
	if len(n.Installation) != installationDigits || !lowerHex(n.Installation) {
		return nil, fmt.Errorf("%q names no installation", n.Installation)
	}
	var err error
	if n.Version, err = numbered(lines[1], "version "); err != nil {
		return nil, err
	}
	requires, err := numbered(lines[2], "requires ")
	if err != nil {
		return nil, err
	}
	n.Requires = int(requires)
	for _, line := range lines[3:] {
		if err := addKey(n, line); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// KeysVersion returns the version in the text of a keys note, without verifying its
// signatures; 0 if it is none.
func KeysVersion(text string) uint64 {
	body, _, _ := strings.Cut(text, "\n\n")
	n, err := parseKeysText(body + "\n")
	if err != nil {
		return 0
	}
	return n.Version
}

// numbered reads a line of a word and a number, which is at least 1.
func numbered(line, word string) (uint64, error) {
	digits, ok := strings.CutPrefix(line, word)
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
		return 0, fmt.Errorf("the line %q is not %sand a number", line, word)
	}
	return n, nil
}

// addKey adds the key of a line to n.
func addKey(n *KeysNote, line string) error {
	key, ok := strings.CutPrefix(line, "sign ")
	if !ok {
		return fmt.Errorf("the line %q names no signing key", line)
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return fmt.Errorf("the line %q: %w", line, err)
	}
	if verifier.Name() != keyNamePrefix+n.Installation {
		return fmt.Errorf("the line %q: the key is of another installation", line)
	}
	if _, twice := n.verifiers[verifier.KeyHash()]; twice {
		return fmt.Errorf("the line %q: another key has the same id", line)
	}
	if len(n.Keys) == MaxSigningKeys {
		return fmt.Errorf("more than %d signing keys", MaxSigningKeys)
	}
	n.Keys = append(n.Keys, key)
	n.verifiers[verifier.KeyHash()] = verifier
	return nil
}
