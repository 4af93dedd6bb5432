package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flagside/flagside/sync/changelog"
)

// Change is what a command has done.
type Change struct {
	Installation string
	Version      uint64          // of the keys note that counts now
	Signing      changelog.Key   // in signing.key
	Added        []changelog.Key // that the keys note lists now and did not before
	Removed      []changelog.Key // the other way round
	Warnings     []string        // about the files
}

// Init makes the keys of a new installation in a directory, which is made if it is not there. It fails with [ErrHasKeys] if the
// directory has keys, and completes what an Init that was interrupted has left.
func Init(dir string) (Change, error) { return directory{path: dir}.init() }

func (d directory) init() (Change, error) {
	if err := d.make(); err != nil {
		return Change{}, err
	}
	unlock, err := d.lockToChange()
	if err != nil {
		return Change{}, err
	}
	defer unlock()
	if err := d.empty(); err != nil {
		return Change{}, err
	}
	root, rootKey, err := d.provide(RootFile, changelog.NewInstallation())
	if err != nil {
		return Change{}, err
	}
	_, signing, err := d.provide(SigningFile, rootKey.Installation)
	if err != nil {
		return Change{}, err
	}
	if signing.Installation != rootKey.Installation {
		return Change{}, fmt.Errorf("%s: %s and %s are of two installations: move them away", d.path, RootFile, SigningFile)
	}
	trust, err := d.firstNote(root, rootKey, signing)
	if err != nil {
		return Change{}, err
	}
	if err := d.write(TrustFile, trust.String(), publicMode); err != nil {
		return Change{}, err
	}
	return Change{Installation: rootKey.Installation, Version: trust.Floor().Version, Signing: signing, Added: []changelog.Key{signing}}, nil
}

// make makes the directory.
func (d directory) make() error {
	if _, err := os.Stat(d.path); err == nil {
		return nil
	}
	if err := d.before("make the directory"); err != nil {
		return err
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(filepath.Clean(d.path)))
}

// held returns the names of the files of keys that exist.
func (d directory) held() []string {
	return slices.DeleteFunc([]string{RootFile, SigningFile, NoteFile, TrustFile}, func(name string) bool { return !d.exists(name) })
}

// empty returns why no keys can be made, or completed, in a directory.
func (d directory) empty() error {
	held := d.held()
	switch {
	case slices.Contains(held, TrustFile):
		return fmt.Errorf("%s: %w (%s): keep them, or name another directory", d.path, ErrHasKeys, strings.Join(held, ", "))
	case len(held) > 0 && held[0] != RootFile:
		return fmt.Errorf("%s: %w (%s), and cannot be completed without %s: restore what is missing, or move the rest away",
			d.path, ErrHasKeys, strings.Join(held, ", "), RootFile)
	}
	return nil
}

// provide returns the key in a file, which gets a new one if it is not there.
func (d directory) provide(name, installation string) (secret string, key changelog.Key, err error) {
	if !d.exists(name) {
		if secret, _, err = changelog.GenerateKey(installation); err != nil {
			return "", key, err
		}
		if err := d.write(name, secret+"\n", secretMode); err != nil {
			return "", key, err
		}
	} else if secret, _, err = readSecret(d.file(name)); err != nil {
		return "", key, err
	}
	if key, err = changelog.ParseSecret(secret); err != nil {
		return "", key, fmt.Errorf("%s: %w", d.file(name), err)
	}
	return secret, key, nil
}

// firstNote makes the first keys note, unless it is there, and returns the trust file for it.
func (d directory) firstNote(root string, rootKey, signing changelog.Key) (changelog.Trust, error) {
	trust, err := changelog.ParseTrust([]byte(rootKey.Public + "\n"))
	if err != nil {
		return trust, err
	}
	if d.exists(NoteFile) {
		text, _, err := read(d.file(NoteFile))
		if err == nil {
			trust, err = trust.WithFloor(text)
		}
		if err == nil && !slices.Contains(trust.Floor().PublicKeys(), signing) {
			err = errors.New("it does not list the key in " + SigningFile + ": move both away")
		}
		if err != nil {
			return trust, fmt.Errorf("%s: %w", d.file(NoteFile), err)
		}
		return trust, nil
	}
	n, err := changelog.NewKeysNote(rootKey.Installation, 1, root, signing.Public)
	if err != nil {
		return trust, err
	}
	if err := d.write(NoteFile, n.Text, publicMode); err != nil {
		return trust, err
	}
	return trust.WithFloor(n.Text)
}
