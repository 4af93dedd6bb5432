package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/flagside/flagside/sync/changelog"
)

// Keys is what a publisher needs of a directory of keys.
type Keys struct {
	// Dir is the directory.
	Dir string
	// Signer signs with the signing key of the directory.
	Signer *changelog.Signer
	// Keyring trusts the trust file, and has adopted the keys note.
	Keyring *changelog.Keyring
	// Trust is the trust file.
	Trust changelog.Trust
	// HasRoot says that the root key lies in the directory.
	HasRoot bool
	// Warnings are sentences about files that are readable by more people than they should be.
	Warnings []string
}

// Open reads a directory of keys, which may be a mounted Secret without the root key. It fails with [ErrNoKeys] if there are none.
func Open(dir string) (Keys, error) {
	s, err := directory{path: dir}.load()
	if err != nil {
		return Keys{}, err
	}
	return s.keys()
}

// OpenOrInit is [Open], after [Init] if the directory holds no keys or Init was interrupted there.
func OpenOrInit(dir string) (Keys, error) {
	d := directory{path: dir}
	if !d.exists(TrustFile) && (d.exists(RootFile) || len(d.held()) == 0) {
		if _, err := d.init(); err != nil {
			return Keys{}, err
		}
	}
	return Open(dir)
}

// state is what the files of a directory say.
type state struct {
	directory
	trust    changelog.Trust
	ring     *changelog.Keyring
	written  string // the text of keys.note
	secret   string // of the signing key
	signing  changelog.Key
	warnings []string
}

// load reads the files that every directory of keys has.
func (d directory) load() (*state, error) {
	if err := d.complete(); err != nil {
		return nil, err
	}
	s := &state{directory: d}
	for _, read := range []func() error{s.readTrust, s.readNote, s.readSigning} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (d directory) noKeys() error {
	return fmt.Errorf("%s: %w: make them with publisher keys init %s, or name another directory", d.path, ErrNoKeys, d.path)
}

// complete returns what a directory lacks, the root key aside.
func (d directory) complete() error {
	held := d.held()
	if len(held) == 0 {
		return d.noKeys()
	}
	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		if d.exists(name) {
			continue
		}
		if d.exists(RootFile) && !d.exists(TrustFile) {
			return fmt.Errorf("%s lacks %s, because publisher keys init was interrupted: run publisher keys init %s again", d.path, name, d.path)
		}
		return fmt.Errorf("%s has %s but lacks %s: restore it from a copy", d.path, strings.Join(held, ", "), name)
	}
	return nil
}

func (s *state) readTrust() error {
	text, _, err := readGuarded(s.file(TrustFile))
	if err == nil {
		s.trust, err = changelog.ParseTrust([]byte(text))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.file(TrustFile), err)
	}
	s.ring = changelog.NewPublisherKeyring(s.trust)
	return nil
}

func (s *state) readNote() (err error) {
	if s.written, _, err = read(s.file(NoteFile)); err == nil {
		err = s.ring.Propose(s.written)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.file(NoteFile), err)
	}
	return nil
}

func (s *state) readSigning() (err error) {
	s.secret, s.signing, err = s.readKey(s.file(SigningFile))
	return err
}

// readKey reads a secret key of the installation.
func (s *state) readKey(file string) (secret string, key changelog.Key, err error) {
	secret, warning, err := readSecret(file)
	if err == nil {
		key, err = changelog.ParseSecret(secret)
	}
	if err == nil && key.Installation != s.trust.Installation() {
		err = fmt.Errorf("it is a key of installation %s, and %s is of %s", key.Installation, TrustFile, s.trust.Installation())
	}
	if err != nil {
		return "", changelog.Key{}, fmt.Errorf("%s: %w", file, err)
	}
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	return secret, key, nil
}

// optional is readKey of a file of the directory that need not exist; the key is zero if it does not.
func (s *state) optional(name string) (secret string, key changelog.Key, err error) {
	secret, key, err = s.readKey(s.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", changelog.Key{}, nil
	}
	return secret, key, err
}

func (s *state) keys() (Keys, error) {
	signer, err := changelog.NewSigner(s.secret)
	if err != nil {
		return Keys{}, err
	}
	k := Keys{Dir: s.path, Signer: signer, Keyring: s.ring, Trust: s.trust, HasRoot: s.exists(RootFile), Warnings: s.warnings}
	if info, err := os.Stat(s.file(RootFile)); err == nil && info.Mode().Perm()&0o077 != 0 {
		k.Warnings = append(k.Warnings, fmt.Sprintf("%s is not for its owner alone (mode %04o): run chmod 0600 %s",
			s.file(RootFile), info.Mode().Perm(), s.file(RootFile)))
	}
	return k, nil
}
