// Package fileaccess tells whether files and directories that a program relies on can be changed by other users of the machine. It looks
// at permission bits only: the owner of a file is not checked, because containers often run as another user than the owner of their volumes.
package fileaccess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrWritable means that others may write to a file or directory.
var ErrWritable = errors.New("can be written by others than its owner")

const (
	groupOrOthersWrite = 0o022
	groupOrOthersRead  = 0o044
	othersWrite        = 0o002
)

// VerifySecret looks at the file of a secret, or of what decides who may do what, through symbolic links, as Kubernetes mounts them. It
// fails with ErrWritable if others than the owner may write to it, and returns a warning for people if others may read it. A file that
// cannot be looked at is not for this function to report.
func VerifySecret(path string) (warning string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil //nolint:nilerr // reading the file gives the better error
	}
	return VerifyMode(path, info.Mode().Perm())
}

// isMounted reports whether a file lies in a volume as the kubelet writes it for a Secret: behind a link into a folder that is named after
// a time. Only containers that mount the volume see the file, so its mode says nothing about who may read it.
func isMounted(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real == path {
		return false
	}
	folder, hidden := strings.CutPrefix(filepath.Base(filepath.Dir(real)), "..")
	written, _, _ := strings.Cut(folder, ".")
	_, err = time.Parse("2006_01_02_15_04_05", written)
	return hidden && err == nil
}

// VerifyMode is VerifySecret for a file whose permissions are known. It warns of no file in a mounted Secret.
func VerifyMode(path string, mode fs.FileMode) (warning string, err error) {
	switch {
	case mode&groupOrOthersWrite != 0:
		return "", fmt.Errorf("%s: %w (mode %04o): check what it says, then run chmod go-w %s", path, ErrWritable, mode, path)
	case mode&groupOrOthersRead != 0 && !isMounted(path):
		warning = fmt.Sprintf("%s can be read by others than its owner (mode %04o): run chmod 0600 %s", path, mode, path)
	}
	return warning, nil
}

// VerifySettings is VerifySecret for a file that everybody may read.
func VerifySettings(path string) error {
	_, err := VerifySecret(path)
	return err
}

// VerifyAll is VerifySettings for some files and VerifySecret for others; empty names are left out. warn is told which secrets others may
// read.
func VerifyAll(settings, secrets []string, warn func(file, warning string)) error {
	for _, file := range settings {
		if file == "" {
			continue
		}
		if err := VerifySettings(file); err != nil {
			return err
		}
	}
	for _, file := range secrets {
		if file == "" {
			continue
		}
		warning, err := VerifySecret(file)
		if err != nil {
			return err
		}
		if warning != "" {
			warn(file, warning)
		}
	}
	return nil
}

// VerifyDirectory fails with ErrWritable if other users may put files into a directory, or another directory in its place: if it, or one
// that it lies in, can be written by everybody. Above it the sticky bit, which /tmp has, is enough. A directory that is not there yet is
// judged by where it will be.
func VerifyDirectory(path string) error { return verify(path, false) }

// VerifyVolume is VerifyDirectory for what is proved before it is used. It lets the root of a volume be written by everybody, as that of
// an emptyDir of Kubernetes is, which only those see who mount it.
func VerifyVolume(path string) error { return verify(path, true) }

func verify(path string, volumes bool) error {
	at, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if real, err := filepath.EvalSymlinks(at); err == nil {
		at = real
	}
	for above := false; ; above = true {
		if err := verifyOne(at, above, volumes); err != nil {
			return err
		}
		parent := filepath.Dir(at)
		if parent == at {
			return nil
		}
		at = parent
	}
}

// verifyOne looks at a directory, or at one above it.
func verifyOne(dir string, above, volumes bool) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&othersWrite == 0 {
		return nil //nolint:nilerr // what is not there yet is made for its owner alone
	}
	sticky := info.Mode()&fs.ModeSticky != 0
	switch {
	case above && sticky, volumes && !sticky && isVolume(dir, info):
		return nil
	case above:
		return fmt.Errorf("%s: %w, who can put another directory into it (mode %04o): run chmod o-w %s, or use another place",
			dir, ErrWritable, info.Mode().Perm(), dir)
	}
	return fmt.Errorf("%s: %w (mode %04o): check what lies there, then run chmod o-w %s, or use a directory inside it",
		dir, ErrWritable, info.Mode().Perm(), dir)
}

// isVolume reports whether a directory is the root of a file system.
func isVolume(dir string, info fs.FileInfo) bool {
	around, err := os.Stat(filepath.Dir(dir))
	if err != nil {
		return false
	}
	own, known := info.Sys().(*syscall.Stat_t)
	other, knownToo := around.Sys().(*syscall.Stat_t)
	return known && knownToo && own.Dev != other.Dev
}
