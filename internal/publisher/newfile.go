package publisher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// newFile is a file that gets its name once it is complete. Until then it has none, where the system knows such files, so that nothing is left of
// it when the process is killed; else it has one that begins with a dot. Only its owner can read it.
type newFile struct {
	*os.File

	path    string
	unnamed bool
}

func createNew(path string) (*newFile, error) {
	file, err := openUnnamed(filepath.Dir(path))
	if err == nil {
		return &newFile{file, path, true}, nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(path), err)
	}
	file, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, err
	}
	return &newFile{file, path, false}, nil
}

// complete gives the file its name, under which there must be nothing, and closes it.
func (f *newFile) complete() error {
	err := f.Sync()
	if err == nil {
		err = f.name()
	}
	if err = errors.Join(err, f.discard()); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(f.path))
}

func (f *newFile) name() error {
	if f.unnamed {
		return linkUnnamed(f.File, f.path)
	}
	err := os.Link(f.Name(), f.path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	place, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // where there are no hard links
	if err != nil {
		return err
	}
	if err := place.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), f.path)
}

// discard closes the file, and removes what it is called until it is complete.
func (f *newFile) discard() error {
	err := f.Close()
	if f.unnamed {
		return err
	}
	if removed := os.Remove(f.Name()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
