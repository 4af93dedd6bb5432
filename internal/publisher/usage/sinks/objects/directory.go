package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"time"
)

const (
	// aside is the folder in which files are written before they get their names. Its files do not have the ending of those that are complete.
	aside = ".writing"
	// What may read: the user of the publisher, and its group.
	folderMode = 0o750
	fileMode   = 0o640
	// abandoned is how old a file is that no one writes any more.
	abandoned = time.Hour
)

// Directory keeps files in a directory of this machine.
type Directory struct{ path string }

// NewDirectory returns the directory at a path. It need not be there: nothing is put until it is, because one that is missing may be a volume that is not
// mounted.
func NewDirectory(path string) *Directory { return &Directory{path} }

// Where returns where it is, for people.
func (d *Directory) Where() string { return d.path }

// Put writes a file aside, waits until it is on the disk, and gives it its name, which has slashes and may be that of a file that is replaced.
func (d *Directory) Put(_ context.Context, name string, data []byte) (err error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.MkdirAll(aside, folderMode); err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), folderMode); err != nil {
		return err
	}
	written := path.Join(aside, path.Base(name)+"."+rand.Text())
	if err := write(root, written, data); err != nil {
		return errors.Join(err, root.Remove(written))
	}
	if err := root.Rename(written, name); err != nil {
		return errors.Join(err, root.Remove(written))
	}
	return syncFolders(root, name)
}

func write(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncFolders has the disk know the names of a file and of the folders above it.
func syncFolders(root *os.Root, name string) error {
	for name != "." {
		name = path.Dir(name)
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Clean removes what processes that were killed have left aside.
func (d *Directory) Clean(now time.Time) error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	folder, err := root.Open(aside)
	if errors.Is(err, os.ErrNotExist) {
		return root.Close()
	}
	if err != nil {
		return errors.Join(err, root.Close())
	}
	found, err := folder.ReadDir(-1)
	for _, f := range found {
		if about, failed := f.Info(); failed == nil && now.Sub(about.ModTime()) > abandoned {
			err = errors.Join(err, root.Remove(path.Join(aside, f.Name())))
		}
	}
	return errors.Join(err, folder.Close(), root.Close())
}
