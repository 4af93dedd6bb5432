package fileaccess

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace writes a file as a whole, readable for its owner alone: readers see the old content or the new one. What stands at the path is
// replaced, not followed.
func Replace(path string, content []byte) error { return ReplaceWith(path, content, 0o600) }

// ReplaceWith is Replace of a file with other permissions.
func ReplaceWith(path string, content []byte, mode os.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = next.Write(content)
	err = errors.Join(err, next.Chmod(mode), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
