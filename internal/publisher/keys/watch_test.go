package keys

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/sync/changelog"
)

func TestWatcherFollowsARotation(t *testing.T) {
	t.Parallel()
	dir := made(t)
	k := open(t, dir)
	old := k.Signer.ID()
	var seen []uint64
	w := NewWatcher(k, func(n changelog.KeysNote) { seen = append(seen, n.Version) }, zerolog.Nop())
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		signer := w.Current()

		rotated := done(t)(Rotate(dir, ""))
		time.Sleep(poll + time.Second)
		if signer.ID() != rotated.Signing.ID || w.Current() != signer || w.Keyring().Note().Version != 2 || !w.Keyring().Signs(old) {
			t.Errorf("after the rotation key %08x signs under version %d", signer.ID(), w.Keyring().Note().Version)
		}
		done(t)(Finish(dir, ""))
		time.Sleep(poll + time.Second)
		if w.Keyring().Signs(old) || w.Retired() != nil {
			t.Errorf("after the second step the old key counts, or the new one does not: %v", w.Retired())
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if len(seen) != 2 || seen[0] != 2 || seen[1] != 3 {
		t.Errorf("the keys notes that were told are %v", seen)
	}
}

// A publisher with its own copy of the directory learns from the log that its key is retired.
func TestWatcherOfARetiredKey(t *testing.T) {
	t.Parallel()
	dir, elsewhere := made(t), filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(elsewhere, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(elsewhere, SigningFile), 0o600); err != nil {
		t.Fatal(err)
	}
	w := NewWatcher(open(t, elsewhere), nil, zerolog.Nop())
	old := w.Current().ID()
	done(t)(Rotate(dir, ""))
	done(t)(Finish(dir, ""))
	if err := w.Keyring().Adopt(open(t, dir).Keyring.Note().Text); err != nil {
		t.Fatal(err)
	}
	w.Look()
	fails(t, w.Retired(), changelog.Key{ID: old}.String())

	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		put(t, filepath.Join(elsewhere, name), content(t, filepath.Join(dir, name)))
	}
	w.Look()
	if w.Retired() != nil || w.Current().ID() != open(t, dir).Signer.ID() {
		t.Errorf("with the new files: %v", w.Retired())
	}
}

// The files of a directory are replaced one by one where it is a copy: a key that no note lists must not sign in place of one that is.
func TestWatcherTakesNoUnlistedKey(t *testing.T) {
	t.Parallel()
	dir := made(t)
	w := NewWatcher(open(t, dir), nil, zerolog.Nop())
	old := w.Current().ID()
	note, trust := content(t, filepath.Join(dir, NoteFile)), content(t, filepath.Join(dir, TrustFile))
	done(t)(Rotate(dir, ""))
	put(t, filepath.Join(dir, NoteFile), note)
	put(t, filepath.Join(dir, TrustFile), trust)
	w.Look()
	if w.Current().ID() != old || w.Retired() != nil {
		t.Errorf("key %08x signs, %v", w.Current().ID(), w.Retired())
	}
}

func TestWatcherKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	dir, other := made(t), made(t)
	var log bytes.Buffer
	w := NewWatcher(open(t, dir), nil, zerolog.New(&log))
	id := w.Current().ID()
	f := func(want string) {
		t.Helper()
		log.Reset()
		w.Look()
		w.Look()
		if got := log.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("the log has %q, want one line with %q", got, want)
		}
		if w.Current().ID() != id || w.Retired() != nil {
			t.Errorf("key %08x signs, %v", w.Current().ID(), w.Retired())
		}
	}
	put(t, filepath.Join(dir, NoteFile), "half of a no")
	f("keys.note")
	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		put(t, filepath.Join(dir, name), content(t, filepath.Join(other, name)))
	}
	f("restart")
	for _, name := range []string{SigningFile, NoteFile, TrustFile, RootFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f("holds no keys")
}

func TestWatcherSeesTheRootLeave(t *testing.T) {
	t.Parallel()
	dir := made(t)
	w := NewWatcher(open(t, dir), nil, zerolog.Nop())
	if got := w.RootFile(); got != filepath.Join(dir, RootFile) {
		t.Errorf("the root key is at %q", got)
	}
	if _, err := ExportRoot(dir, filepath.Join(t.TempDir(), "root")); err != nil {
		t.Fatal(err)
	}
	w.Look()
	if got := w.RootFile(); got != "" {
		t.Errorf("the root key is at %q after it was moved away", got)
	}
}
