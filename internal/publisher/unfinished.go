package publisher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/internal/fileaccess"
)

// The files in a data directory that keep a publisher from starting there.
const (
	// unfinishedFile says what was to fill the directory and has not said that it did.
	unfinishedFile = "unfinished"
	// movedFile says where the installation was moved to.
	movedFile = "moved"
)

// Errors of a data directory that no publisher may use.
var (
	// ErrUnfinished means that a data directory does not have everything yet.
	ErrUnfinished = errors.New("the data directory is not complete")
	// ErrMoved means that the installation was moved away from a data directory.
	ErrMoved = errors.New("the installation was moved away from the data directory")
)

// verifyComplete returns why a publisher may not use a data directory.
func verifyComplete(dir string) error {
	if what, err := readMark(dir, unfinishedFile); err != nil || what != "" {
		return errors.Join(err, fmt.Errorf("%s: %w: \"%s\" was interrupted: run it again, or give up what it has copied and delete %s and %s",
			dir, ErrUnfinished, what, filepath.Join(dir, streamsDir), filepath.Join(dir, unfinishedFile)))
	}
	if where, err := readMark(dir, movedFile); err != nil || where != "" {
		return errors.Join(err, fmt.Errorf("%s: %w to %s: start the publisher with --nats; if nothing has used that yet and you want to stay here, delete %s",
			dir, ErrMoved, where, filepath.Join(dir, movedFile)))
	}
	return nil
}

// mark writes a file that keeps a publisher from starting.
func mark(dir, name, text string) error {
	return errors.Join(fileaccess.Replace(filepath.Join(dir, name), []byte(text+"\n")), syncDirectory(dir))
}

// unmark removes it.
func unmark(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDirectory(dir)
}

// readMark returns what a file says, "" if it is not there.
func readMark(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- the operator's directory
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

func syncDirectory(dir string) error {
	f, err := os.Open(dir) // #nosec G304 -- the operator's directory
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
