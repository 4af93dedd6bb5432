package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flagside/flagside/sync/changelog"
)

// ExportRoot moves the root key of a directory to a file, which must not exist. It removes the root key only when the file is on the
// disk. Interrupted in between, the same call completes it. It fails with [ErrNoRoot] if the root key is not in the directory.
func ExportRoot(dir, file string) (changelog.Key, error) {
	return directory{path: dir}.exportRoot(file)
}

func (d directory) exportRoot(file string) (changelog.Key, error) {
	unlock, err := d.lockToChange()
	if err != nil {
		return changelog.Key{}, err
	}
	defer unlock()
	s, err := d.load()
	if err != nil {
		return changelog.Key{}, err
	}
	secret, err := s.readRoot("")
	if err != nil {
		return changelog.Key{}, err
	}
	root, err := changelog.ParseSecret(secret)
	if err != nil {
		return changelog.Key{}, err
	}
	if err := d.outside(file); err != nil {
		return changelog.Key{}, err
	}
	if err := d.export(file, secret); err != nil {
		return changelog.Key{}, fmt.Errorf("export the root key: %w", err)
	}
	return root, d.remove(RootFile)
}

// outside refuses a file in the directory itself, from where nothing would be moved away.
func (d directory) outside(file string) error {
	inside, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	target, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return err
	}
	if os.SameFile(inside, target) {
		return fmt.Errorf("%s is in the directory that the root key is to leave: name a file elsewhere, best on another machine", file)
	}
	return nil
}

// export writes the key to a file, unless one that was interrupted did.
func (d directory) export(file, secret string) error {
	if err := d.before("create the export"); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretMode)
	if errors.Is(err, fs.ErrExist) {
		return exported(file, secret)
	}
	if err != nil {
		return err
	}
	if err = d.before("fill the export"); err == nil {
		_, err = io.WriteString(f, secret+"\n")
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file)) // it exists for this export alone
	}
	return syncDirectory(filepath.Dir(file))
}

// exported returns why a file that exists is not the export of the key.
func exported(file, secret string) error {
	if there, _, err := readSecret(file); err == nil && there == secret {
		return nil
	}
	return fmt.Errorf("%s exists: name another file", file)
}
