package configfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/fileaccess"
	"github.com/flagside/flagside/internal/reload"
)

const (
	interval = 2 * time.Second // between two looks at the files
	maxFile  = 1 << 20         // bytes
)

// Open reads a file for the first time, with parse, which is told its name. It is an error if it cannot be used.
func Open[T any](path string, e Entries, parse func(name string, content []byte, read Read) (T, error), logger zerolog.Logger) (*reload.File[T], error) {
	return reload.Open(reload.Options[T]{
		Subject:  "the file of " + e.Many,
		Interval: interval,
		Load: func() (T, error) {
			content, err := ReadFile(path)
			var c T
			if err == nil {
				c, err = parse(path, content, ReadFile)
			}
			if err != nil {
				return c, fmt.Errorf("%s: %w", e.Many, err)
			}
			return c, nil
		},
		Equal:  func(a, b T) bool { return reflect.DeepEqual(a, b) },
		Logger: logger.With().Str("file", path).Logger(),
	})
}

// ReadFile reads a file that others must not be able to write.
func ReadFile(path string) (content []byte, err error) {
	if _, err := fileaccess.VerifySecret(path); err != nil {
		return nil, err
	}
	file, err := os.Open(path) // #nosec G304 -- the path is the operator's
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return content, err
}

var (
	// errNoName is for an address or a secret in place of the name of a file. It does not quote it.
	errNoName = errors.New("this is no name of a file: write the address or the secret into a file, and its name here")
	// errNoFile is for what names no file, and does not quote it: it may be the secret itself.
	errNoFile = errors.New("no file has this name, which is not shown because it may be the secret itself: write the secret into a file, and here its name, " +
		"from / or from the folder of this file")
)

// NoName returns the error for a text that is a secret where the name of a file belongs. It does not quote it.
func NoName() error { return errNoName }

// withoutName returns an error of a file without the name of the file, unless there is a file of that name.
func withoutName(err error) error {
	failed, ok := errors.AsType[*fs.PathError](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoFile
	case ok: // also a name that is too long, or has a file for a folder
		return fmt.Errorf("the file cannot be read: %w", failed.Err)
	default:
		return err
	}
}
