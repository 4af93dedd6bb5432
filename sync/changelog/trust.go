package changelog

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// keyNamePrefix begins the name of every key: what follows is the installation.
const keyNamePrefix = "flagside/"

// installationDigits is how many hexadecimal digits name an installation.
const installationDigits = 32

// Errors of what is not proved.
var (
	// ErrUnsigned means that no key of the installation signed it.
	ErrUnsigned = errors.New("it is not signed by a key of this installation")
	// ErrKeysNote means that a keys note cannot be used.
	ErrKeysNote = errors.New("not a keys note of this installation")
	// ErrTrust means that a trust file cannot be read.
	ErrTrust = errors.New("not a trust file")
	// ErrRequires means that the keys note asks for a newer program.
	ErrRequires = errors.New("the keys note asks for a newer version of this program")
)

// Trust is what a process believes in before it has read anything: the root keys
// of one installation, and optionally the keys note that is known at least. The
// zero value trusts nothing.
type Trust struct {
	installation string
	roots        []note.Verifier
	floor        *KeysNote
	text         string
}

// ParseTrust reads a trust file: lines with root keys in the form of a C2SP
// verifier key, all of one installation; then, optionally, a keys note that they
// signed. Lines before the note that are empty or begin with # do not count.
func ParseTrust(data []byte) (Trust, error) {
	t := Trust{text: string(data)}
	keys, keysNote := splitTrust(string(data))
	for line := range strings.Lines(keys) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := addRoot(&t, line); err != nil {
			return Trust{}, err
		}
	}
	if len(t.roots) == 0 {
		return Trust{}, fmt.Errorf("%w: it has no root key", ErrTrust)
	}
	if keysNote == "" {
		return t, nil
	}
	floor, err := t.open(keysNote)
	if err != nil {
		return Trust{}, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	t.floor = floor
	return t, nil
}

// splitTrust parts the keys from the note behind them.
func splitTrust(text string) (keys, keysNote string) {
	if strings.HasPrefix(text, keysMagic) {
		return "", text
	}
	begin := strings.Index(text, "\n"+keysMagic)
	if begin < 0 {
		return text, ""
	}
	return text[:begin+1], text[begin+1:]
}

// addRoot adds the root key of a line to t.
func addRoot(t *Trust, line string) error {
	root, err := note.NewVerifier(line)
	if err != nil {
		return fmt.Errorf("%w: %q is no verifier key: %w", ErrTrust, line, err)
	}
	installation, err := installationOf(root.Name())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTrust, err)
	}
	if t.installation != "" && t.installation != installation {
		return fmt.Errorf("%w: its root keys are of two installations", ErrTrust)
	}
	for _, other := range t.roots {
		if other.KeyHash() == root.KeyHash() {
			return fmt.Errorf("%w: the root key %08x is there twice", ErrTrust, root.KeyHash())
		}
	}
	t.installation = installation
	t.roots = append(t.roots, root)
	return nil
}

// installationOf returns the installation that a key is of.
func installationOf(keyName string) (string, error) {
	installation, ok := strings.CutPrefix(keyName, keyNamePrefix)
	if !ok || len(installation) != installationDigits || !lowerHex(installation) {
		return "", fmt.Errorf("the key %q is not named %s and %d hexadecimal digits", keyName, keyNamePrefix, installationDigits)
	}
	return installation, nil
}

// Installation returns the id of the installation that is trusted, "" for the
// zero value.
func (t Trust) Installation() string { return t.installation }

// String returns the text of the trust file.
func (t Trust) String() string { return t.text }

// open returns a keys note that a trusted root signed.
func (t Trust) open(text string) (*KeysNote, error) {
	if len(text) > maxKeysNote {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrKeysNote, len(text), maxKeysNote)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(t.roots...))
	if err != nil {
		return nil, fmt.Errorf("%w: no trusted root signed it: %w", ErrKeysNote, err)
	}
	n, err := parseKeysText(opened.Text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysNote, err)
	}
	if n.Installation != t.installation {
		return nil, fmt.Errorf("%w: it is of installation %s", ErrKeysNote, n.Installation)
	}
	n.Text = text
	return n, nil
}
