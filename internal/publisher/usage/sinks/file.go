package sinks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/fileaccess"
	"github.com/flagside/flagside/internal/reload"
)

const (
	fileInterval = 2 * time.Second // between two looks at the files
	maxFile      = 1 << 20         // bytes
)

// Open reads the file of sinks for the first time. It is an error if it cannot be used.
func Open(path string, logger zerolog.Logger) (*reload.File[Config], error) {
	return reload.Open(reload.Options[Config]{
		Subject:  "the file of usage sinks",
		Interval: fileInterval,
		Load:     func() (Config, error) { return readConfig(path) },
		Equal:    func(a, b Config) bool { return reflect.DeepEqual(a, b) },
		Logger:   logger.With().Str("file", path).Logger(),
	})
}

func readConfig(path string) (Config, error) {
	content, err := readSecret(path)
	if err != nil {
		return Config{}, fmt.Errorf("usage sinks: %w", err)
	}
	c, err := Parse(path, content, readSecret)
	if err != nil {
		return Config{}, fmt.Errorf("usage sinks: %w", err)
	}
	return c, nil
}

// readSecret reads a file that others must not be able to write.
func readSecret(path string) (content []byte, err error) {
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
