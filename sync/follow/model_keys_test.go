package follow_test

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

	public  string              // of the key that signs
	coming  string              // secret of the key that signs next, "" while there is none
	retired []*changelog.Signer // that signed before
	strange trusttest.Keys      // of another installation
	usurper trusttest.Keys      // under the names of ours
}

func newWorldKeys() worldKeys {
	keys := trusttest.Default()
	return worldKeys{
		Keys: keys, note: keys.Note, signer: keys.Signer(), public: keys.Note.Keys[0], strange: trusttest.New(), usurper: newUsurper(keys.Installation),
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

// rotate does the next step from one signing key to another: both are listed, then
// the new one alone signs.
func (w *world) rotate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.writable() {
		return
	}
	k := &w.keys
	listed := []string{k.public}
	if k.coming == "" {
		k.coming, k.public = newKey(w.tb, k.Installation)
		listed = append(listed, k.public)
	} else {
		k.retired = append(k.retired, k.signer)
		k.signer, k.coming = newSigner(w.tb, k.coming), ""
	}
	var err error
	if k.note, err = changelog.NewKeysNote(k.Installation, k.note.Version+1, k.Root, listed...); err != nil {
		w.tb.Fatal(err)
	}
	w.append([]changelog.Entry{k.entry(w.tb)})
}

func newKey(tb testing.TB, installation string) (secret, public string) {
	tb.Helper()
	secret, public, err := changelog.GenerateKey(installation)
	if err != nil {
		tb.Fatal(err)
	}
	return secret, public
}

func newSigner(tb testing.TB, secret string) *changelog.Signer {
	tb.Helper()
	s, err := changelog.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// prepareKey makes another key the one that signs, with a note that lists no other.
// The log does not tell it yet.
func (w *world) prepareKey() {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := &w.keys
	secret, public := newKey(w.tb, k.Installation)
	n, err := changelog.NewKeysNote(k.Installation, k.note.Version+1, k.Root, public)
	if err != nil {
		w.tb.Fatal(err)
	}
	k.signer, k.public, k.note = newSigner(w.tb, secret), public, n
}
