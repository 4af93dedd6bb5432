package publisher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/sync/changelog"
)

// streamsDir is where the embedded NATS server keeps its streams, in the data directory.
const streamsDir = "jetstream"

// errStreamsWithoutKeys means that new keys would make everything that is stored foreign.
var errStreamsWithoutKeys = errors.New("the data directory has streams and no keys: restore signing.key, keys.note and trust from a copy, and root.key unless you moved it away, " +
	"or name their directory with --keys; if all copies are lost, start with a new data directory, put your documents there, " +
	"and give every sidecar the new trust file")

// prepareKeys reads the keys. For a data directory that is new it makes them.
func (p *Publisher) prepareKeys() error {
	k, err := openKeys(p.options)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	p.keys = keys.NewWatcher(k, nil, p.logger)
	return nil
}

func openKeys(o Options) (keys.Keys, error) {
	if o.KeysDir != "" {
		return keys.Open(o.KeysDir)
	}
	_, err := keys.Open(o.DataDir)
	_, missing := os.Stat(filepath.Join(o.DataDir, streamsDir))
	if errors.Is(err, keys.ErrNoKeys) && missing == nil {
		return keys.Keys{}, errStreamsWithoutKeys
	}
	return keys.OpenOrInit(o.DataDir)
}

// Trust returns the trust file of the publisher's keys, for a sidecar in the same process.
func (p *Publisher) Trust() changelog.Trust { return p.keys.Trust() }
