package publisher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
)

// ownKeys are the keys that a restore has.
type ownKeys struct {
	same       bool // they are those of the installation in the backup
	fromBackup bool
	trust      changelog.Trust // of the directory; zero if there is none
	files      keys.Files      // to be written
	dir        string
}

// keysFor finds the keys with which an installation goes on: those in the directory of the options, else those in the backup, else new ones.
func keysFor(o Options, f *backup.File) (own ownKeys, err error) {
	own.dir = o.KeysDir
	if own.dir == "" {
		own.dir = o.DataDir
	}
	k, err := keys.Open(own.dir)
	switch {
	case err == nil:
		own.same = k.Keyring.Installation() == f.Header.Installation
		own.trust, err = k.Trust.WithFloor(k.Keyring.Note().Text)
		return own, err
	case f.Keys != nil && (errors.Is(err, keys.ErrNoKeys) || ownsAll(own.dir, f.Keys)):
		own.same, own.fromBackup, own.files = true, true, f.Keys
		if own.trust, err = verifyKeys(own.files); err != nil {
			err = fmt.Errorf("the keys in the backup: %w", err)
		}
		return own, err
	case errors.Is(err, keys.ErrNoKeys) && o.NATS == "":
		return own, nil // the data directory gets new ones
	}
	return own, err
}

// verifyKeys reports whether keys in a backup fit together, and returns their trust file with their keys note.
func verifyKeys(files keys.Files) (changelog.Trust, error) {
	trust, err := files.Verify()
	if err != nil {
		return trust, err
	}
	if root, ok := files[keys.RootFile]; ok {
		if err := keys.VerifyRoot(string(root), trust); err != nil {
			return trust, fmt.Errorf("%s: %w", keys.RootFile, err)
		}
	}
	return trust.WithFloor(string(files[keys.NoteFile]))
}

// ownsAll reports whether a directory holds nothing but files of keys that an interrupted restore wrote.
func ownsAll(dir string, files keys.Files) bool {
	for _, name := range []string{keys.RootFile, keys.SigningFile, keys.PreviousFile, keys.NoteFile, keys.TrustFile} {
		text, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- the operator's directory
		if err == nil && string(text) != string(files[name]) {
			return false
		}
	}
	return true
}

// write writes the keys of the backup, if they are needed.
func (k ownKeys) write() error {
	if !k.fromBackup {
		return nil
	}
	return k.files.Write(k.dir)
}

// trustFor returns what a backup is proved by: the root keys that are given, or those of the installation that is to go on, and the newest keys
// note that they signed.
func (k ownKeys) trustFor(f *backup.File, given changelog.Trust) (changelog.Trust, error) {
	inside, err := changelog.ParseTrust([]byte(f.Header.Trust))
	if err != nil {
		return inside, fmt.Errorf("the trust file in the backup: %w", err)
	}
	trust := inside
	if given.Installation() != "" {
		trust = given
	} else if k.same {
		trust = k.trust
	}
	if trust.Installation() != f.Header.Installation {
		return trust, fmt.Errorf("the backup is of installation %s, and the trust file is of %s", f.Header.Installation, trust.Installation())
	}
	if k.same {
		if err := k.verifyRoots(trust); err != nil {
			return trust, err
		}
	}
	for _, known := range []changelog.Trust{k.trust, inside} { // the newest keys note counts, wherever it is
		if known.Installation() != trust.Installation() || known.Floor().Version <= trust.Floor().Version {
			continue
		}
		if trust, err = trust.WithFloor(known.Floor().Text); err != nil {
			return trust, fmt.Errorf("a keys note that is newer than the trust file: %w", err)
		}
	}
	return trust, k.verifySigning(trust)
}

// verifyRoots refuses keys with which a publisher would trust another root key than is trusted here.
func (k ownKeys) verifyRoots(trust changelog.Trust) error {
	for _, root := range k.trust.Roots() {
		if !slices.Contains(trust.Roots(), root) {
			return fmt.Errorf("%s trust root key %s, which the trust file does not have: %s", k.origin(), root, k.remedy())
		}
	}
	return nil
}

// verifySigning refuses a signing key in the backup that is revoked.
func (k ownKeys) verifySigning(trust changelog.Trust) error {
	if !k.fromBackup {
		return nil
	}
	signing, err := changelog.ParseSecret(string(k.files[keys.SigningFile]))
	if err == nil && !slices.Contains(trust.Floor().PublicKeys(), signing) {
		err = fmt.Errorf("%s sign with key %s, which the newest keys note does not list: %s", k.origin(), signing, k.remedy())
	}
	return err
}

func (k ownKeys) origin() string {
	if k.fromBackup {
		return "the keys in the backup"
	}
	return "the keys in " + k.dir
}

func (k ownKeys) remedy() string {
	if k.fromBackup {
		return "name the directory of your own keys with --keys, and use no backup that others could write to"
	}
	return "name the trust file of those keys, or their directory with --keys"
}
