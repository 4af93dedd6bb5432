package flagsync_test

import (
	"testing"

	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// worldKeys are the keys of the installation that a world belongs to.
type worldKeys struct {
	trusttest.Keys
	note   changelog.KeysNote // the newest
	signer *changelog.Signer  // signs all that publishers write

	strange trusttest.Keys // of another installation
	usurper trusttest.Keys // under the names of ours
}

func newWorldKeys() worldKeys {
	keys := trusttest.Default()
	return worldKeys{
		Keys: keys, note: keys.Note, signer: keys.Signer(), strange: trusttest.New(), usurper: newUsurper(keys.Installation),
	}
}

// entry returns the entry that tells the newest keys note.
func (k *worldKeys) entry(tb testing.TB) changelog.Entry {
	tb.Helper()
	d, err := changelog.KeysDocument(k.note)
	if err != nil {
		tb.Fatal(err)
	}
	return changelog.Entry{Kind: d.Kind, Key: d.Key, Put: d.Body}
}

// connecting returns the options of a sidecar that trusts the root key and has
// seen nothing yet.
func (w *world) connecting() flagsync.ConnectOptions {
	return flagsync.ConnectOptions{Server: w.wire, Keyring: w.keys.Keyring(), Logger: testLogger}
}
