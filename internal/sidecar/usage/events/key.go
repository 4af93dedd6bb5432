package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/reload"
)

const (
	lookInterval = 10 * time.Second // between two looks at the file of the key
	maxKeyFile   = 4 << 10          // bytes
)

// keyed is a key, and what was told with it.
type keyed struct {
	key    exposurekey.Key
	hasher *exposurekey.Hasher
	recent atomic.Pointer[recent]
}

// openKey reads the file with the key.
func openKey(o Options) (*reload.File[*keyed], error) {
	return reload.Open(reload.Options[*keyed]{
		Subject:  "the key for exposures",
		Interval: lookInterval,
		Load:     func() (*keyed, error) { return readKey(o.KeyFile, o.Environment) },
		Equal:    func(a, b *keyed) bool { return bytes.Equal(a.key, b.key) },
		Logger:   o.Logger.With().Str("file", o.KeyFile).Logger(),
	})
}

// errNoKeyFile does not quote what names no file: it may be the key itself.
var errNoKeyFile = errors.New("key for exposures: --exposure-key-file names no file. What it says is not shown, because it may be the key itself: " +
	"write the key into a file, and give its name")

func readKey(path, environment string) (*keyed, error) {
	file, err := os.Open(path) // #nosec G304 -- the path is the operator's
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.ENOTDIR) {
		return nil, errNoKeyFile
	}
	if err != nil {
		return nil, fmt.Errorf("key for exposures: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("key for exposures: %w", err)
	}
	key, err := exposurekey.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("key for exposures: %s: %w", path, err)
	}
	return newKeyed(key, environment), nil
}

func newKeyed(key exposurekey.Key, environment string) *keyed {
	k := &keyed{key: key, hasher: key.Hasher(environment)}
	k.recent.Store(newRecent())
	return k
}

// chosen reports whether a subject is one of the share that is told of. It is the same for all flags, sidecars and processes.
func (r *Recorder) chosen(subject *[32]byte) bool {
	const all = 1 << 64
	return r.options.Share >= 1 || float64(binary.BigEndian.Uint64(subject[:]))/all < r.options.Share
}
