package keys

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/reload"
	"github.com/flagside/flagside/sync/changelog"
)

// poll is how often a directory of keys is looked at.
const poll = 2 * time.Second

// Watcher keeps the keyring and the signer of a process up to date with a directory of keys: it adopts a newer keys note, and signs
// with another key once that note lists it. It is safe for concurrent use. Make one with [NewWatcher].
type Watcher struct {
	keys   Keys
	logger zerolog.Logger
	onNote func(changelog.KeysNote)
	files  *reload.File[adopted]
	// hasRoot is whether the root key lay in the directory when it was looked at last.
	hasRoot atomic.Bool
}

// adopted is what was taken over of a directory.
type adopted struct {
	note   uint64 // version
	signer uint32
}

// NewWatcher returns a watcher of the directory that k was read from. The keyring and the signer of k are the ones that it changes.
// onNote is called by Run, after each look that found a newer keys note in the directory; it may be nil.
func NewWatcher(k Keys, onNote func(changelog.KeysNote), logger zerolog.Logger) *Watcher {
	w := &Watcher{keys: k, logger: logger, onNote: onNote}
	w.hasRoot.Store(k.HasRoot)
	w.files = reload.New(reload.Options[adopted]{
		Subject: "the directory of keys", Interval: poll, Load: w.load, Logger: logger.With().Str("keys", k.Dir).Logger(),
		Equal: func(a, b adopted) bool { return a == b },
	}, w.adopted())
	return w
}

// Current returns the signer: always the same one, which signs with the key that the directory has now.
func (w *Watcher) Current() *changelog.Signer { return w.keys.Signer }

// Keyring returns the keyring, which knows the keys note of the directory.
func (w *Watcher) Keyring() *changelog.Keyring { return w.keys.Keyring }

// Trust returns the trust file as it was when the process began.
func (w *Watcher) Trust() changelog.Trust { return w.keys.Trust }

// RootFile returns the path of the root key, "" if it does not lie in the directory.
func (w *Watcher) RootFile() string {
	if !w.hasRoot.Load() {
		return ""
	}
	return directory{path: w.keys.Dir}.file(RootFile)
}

// Retired returns an error that says why nothing may be signed: the newest keys note does not list the signing key. Nil means that it
// does.
func (w *Watcher) Retired() error {
	id := w.keys.Signer.ID()
	if w.keys.Keyring.Signs(id) {
		return nil
	}
	return fmt.Errorf("the keys note, version %d, does not list key %s of %s",
		w.keys.Keyring.Note().Version, changelog.Key{ID: id}, directory{path: w.keys.Dir}.file(SigningFile))
}

// Run looks at the directory every two seconds until ctx ends. What cannot be read changes nothing and is logged once.
func (w *Watcher) Run(ctx context.Context) error {
	for _, warning := range w.keys.Warnings {
		w.logger.Warn().Msg(warning)
	}
	return w.files.Run(ctx)
}

// Look takes over what the directory holds now, as Run does every two seconds.
func (w *Watcher) Look() { w.files.Look() }

// load reads the directory and takes it over.
func (w *Watcher) load() (adopted, error) {
	w.hasRoot.Store(directory{path: w.keys.Dir}.exists(RootFile))
	now, err := Open(w.keys.Dir)
	if err == nil {
		err = w.takeOver(now)
	}
	return w.adopted(), err
}

func (w *Watcher) adopted() adopted {
	return adopted{w.keys.Keyring.Note().Version, w.keys.Signer.ID()}
}

func (w *Watcher) takeOver(now Keys) error {
	if !slices.Equal(now.Trust.Roots(), w.keys.Trust.Roots()) {
		return fmt.Errorf("%s has other root keys than when this process began: restart it to use them", directory{path: w.keys.Dir}.file(TrustFile))
	}
	known := w.keys.Keyring.Note().Version
	if err := w.keys.Keyring.Propose(now.Keyring.Note().Text); err != nil {
		return err
	}
	newer := w.keys.Keyring.Note()
	if newer.Version > known {
		w.logger.Info().Uint64("version", newer.Version).Msg("keys note adopted")
	}
	if err := w.rotate(now.Signer); err != nil {
		return err
	}
	if newer.Version > known && w.onNote != nil {
		w.onNote(newer)
	}
	return nil
}

// rotate lets another key sign, but never one that is not listed in place of one that is.
func (w *Watcher) rotate(next *changelog.Signer) error {
	before := w.keys.Signer.ID()
	if next.ID() == before || !w.keys.Keyring.Signs(next.ID()) {
		return nil
	}
	if err := w.keys.Signer.Rotate(next); err != nil {
		return err
	}
	w.logger.Info().Stringer("key", changelog.Key{ID: next.ID()}).Stringer("before", changelog.Key{ID: before}).Msg("signing key rotated")
	return nil
}
