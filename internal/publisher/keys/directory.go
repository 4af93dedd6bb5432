package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/flagside/flagside/internal/fileaccess"
)

// The files of a directory of keys.
const (
	RootFile     = "root.key"             // secret: the root key, until [ExportRoot] moves it away
	SigningFile  = "signing.key"          // secret: the key that the publishers sign with
	PreviousFile = "signing.key.previous" // secret: the signing key of before, until a rotation is finished
	NoteFile     = "keys.note"            // the keys note, signed by the root key
	TrustFile    = "trust"                // the trust file: root keys, and the keys note that counts at least

	nextFile = "signing.key.next" // secret: a signing key that no keys note lists yet
)

const (
	secretMode = 0o600
	publicMode = 0o644
	maxFile    = 64 << 10
)

var (
	// ErrNoKeys means that a directory holds no keys.
	ErrNoKeys = errors.New("it holds no keys")
	// ErrHasKeys means that a directory holds keys already.
	ErrHasKeys = errors.New("it holds keys already")
	// ErrNoRoot means that the root key is needed and does not lie in the directory.
	ErrNoRoot = errors.New("the root key is not there")
)

// directory is a directory of keys.
type directory struct {
	path string
	// step is called before each effect on the disk; an error stops there. Nil lets all happen.
	step func(effect string) error
}

func (d directory) file(name string) string { return filepath.Join(d.path, name) }

func (d directory) before(effect string) error {
	if d.step == nil {
		return nil
	}
	return d.step(effect)
}

// exists reports whether a file is there, whatever it is.
func (d directory) exists(name string) bool {
	_, err := os.Lstat(d.file(name))
	return err == nil
}

// lock takes the directory for one command, until the result is called.
func (d directory) lock() (unlock func(), err error) {
	f, err := os.Open(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, d.noKeys()
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another command is changing its keys: try again when it has ended")
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", d.path, err), f.Close())
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // a child process that is being started may hold a copy of the descriptor
		_ = f.Close()
	}, nil
}

// lockToChange is lock for a command that writes, which it cannot do where the files are links.
func (d directory) lockToChange() (unlock func(), err error) {
	if unlock, err = d.lock(); err != nil {
		return nil, err
	}
	for _, name := range []string{RootFile, SigningFile, PreviousFile, nextFile, NoteFile, TrustFile} {
		info, err := os.Lstat(d.file(name))
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			unlock()
			return nil, fmt.Errorf("%s is a symbolic link, as in a mounted Secret: run the command where the Secret was made from, and update it",
				d.file(name))
		}
	}
	return unlock, nil
}

// write replaces a file as a whole.
func (d directory) write(name, text string, mode fs.FileMode) error {
	err := d.replace(name, text, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", d.file(name), err)
	}
	return nil
}

func (d directory) replace(name, text string, mode fs.FileMode) error {
	temporary := d.file("." + name + ".new") // at most one is left by what was interrupted
	if err := d.before("create " + name); err != nil {
		return err
	}
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	if err = d.before("fill " + name); err == nil {
		_, err = io.WriteString(f, text)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return d.rename(filepath.Base(temporary), name)
}

// rename gives a file another name, which lasts when it returns.
func (d directory) rename(from, to string) error {
	if err := d.before("rename to " + to); err != nil {
		return err
	}
	if err := os.Rename(d.file(from), d.file(to)); err != nil {
		return err
	}
	return d.sync("sync after " + to)
}

// remove removes a file, which lasts when it returns.
func (d directory) remove(name string) error {
	if err := d.before("remove " + name); err != nil {
		return err
	}
	if err := os.Remove(d.file(name)); err != nil {
		return err
	}
	return d.sync("sync after removing " + name)
}

func (d directory) sync(effect string) error {
	if err := d.before(effect); err != nil {
		return err
	}
	return syncDirectory(d.path)
}

func syncDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// read returns the text of a file, through links.
func read(file string) (text string, info fs.FileInfo, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return "", nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", nil, fmt.Errorf("%s is not a file", file)
	case info.Size() > maxFile:
		return "", nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", file, info.Size(), maxFile)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(data), info, err
}

// readGuarded is read of a file that only its owner may write, because with it the keys could be replaced. It returns a warning if others
// may read it.
func readGuarded(file string) (text, warning string, err error) {
	text, info, err := read(file)
	if err == nil {
		warning, err = fileaccess.VerifyMode(file, info.Mode().Perm())
	}
	return text, warning, err
}

// readSecret is readGuarded without white space around the text.
func readSecret(file string) (secret, warning string, err error) {
	text, warning, err := readGuarded(file)
	if err != nil {
		return "", "", err
	}
	return strings.TrimSpace(text), warning, nil
}
