package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// copied are the files of a directory that a copy has, in the order in which they are written: [Open] takes the directory for one with keys
// once the last one is there.
var copied = []string{RootFile, PreviousFile, SigningFile, NoteFile, TrustFile}

// Copy reads all keys of a directory, the root key and the key of before too, as far as they lie there.
func Copy(dir string) (Files, error) {
	d := directory{path: dir}
	unlock, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := d.load(); err != nil {
		return nil, err
	}
	files := make(Files)
	for _, name := range copied {
		text, _, err := readGuarded(d.file(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.file(name), err)
		}
		files[name] = []byte(text)
	}
	return files, nil
}

// Write makes a directory of the files, which must be complete. It goes on where it was interrupted, and refuses a directory that has others
// ([ErrHasKeys]).
func (f Files) Write(dir string) error {
	if _, err := f.Verify(); err != nil {
		return err
	}
	for name := range f {
		if !slices.Contains(copied, name) {
			return fmt.Errorf("%q is no file of a directory of keys", name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	d := directory{path: dir}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range copied {
		if err := d.writeCopied(name, f[name]); err != nil {
			return err
		}
	}
	return nil
}

func (d directory) writeCopied(name string, text []byte) error {
	held, _, err := read(d.file(name))
	switch {
	case err == nil && held == string(text):
		return nil
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return errors.Join(fmt.Errorf("%s: %w: name another directory, or move them away", d.path, ErrHasKeys), err)
	case text == nil:
		return nil
	}
	mode := fs.FileMode(secretMode)
	if name == NoteFile || name == TrustFile {
		mode = publicMode
	}
	return d.write(name, string(text), mode)
}
