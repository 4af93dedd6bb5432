package publisher_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/keys"
)

// active returns the detail of a condition, and whether it is active.
func active(tracker *health.Tracker, code health.Code) (detail string, ok bool) {
	for _, a := range tracker.Active() {
		if a.Code == code {
			return a.Detail, true
		}
	}
	return "", false
}

// The first start makes the keys. A running publisher sees that the root key is moved away, and that its key is retired.
func TestKeysOfADataDirectory(t *testing.T) {
	t.Parallel()
	dir, tracker := t.TempDir(), health.NewTracker(time.Now)
	r := start(t, publisher.Options{DataDir: dir, Health: tracker})
	if text, err := os.ReadFile(filepath.Join(dir, keys.TrustFile)); err != nil || string(text) != r.Trust().String() {
		t.Errorf("the trust file is %q, %v, and the publisher trusts %q", text, err, r.Trust())
	}
	file := filepath.Join(dir, keys.RootFile)
	r.await("the condition of the root key", func() bool {
		detail, ok := active(tracker, health.RootKeyOnline)
		return ok && detail == file
	})
	if a := r.ask("GET", "/readyz", ""); a.status != 200 {
		t.Errorf("because of the root key the publisher is not ready: %d %s", a.status, a.body)
	}
	root := filepath.Join(t.TempDir(), "root")
	if _, err := keys.ExportRoot(dir, root); err != nil {
		t.Fatal(err)
	}
	r.await("the end of the condition", func() bool {
		_, ok := active(tracker, health.RootKeyOnline)
		return !ok
	})
	if _, ok := active(tracker, health.SigningKeyRetired); ok {
		t.Error("the only key counts as retired")
	}

	id, err := keys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(dir, keys.SigningFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Revoke(dir, root, id.Signing.String()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keys.SigningFile), old, 0o600); err != nil { // as in a directory that is a copy
		t.Fatal(err)
	}
	r.stop()
	r = start(t, publisher.Options{DataDir: dir, Health: tracker})
	r.await("the condition of the retired key", func() bool {
		detail, ok := active(tracker, health.SigningKeyRetired)
		return ok && strings.Contains(detail, id.Signing.String())
	})
}

// New keys would make all that is stored foreign, so losing the files does not make them.
func TestStreamsWithoutKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, publisher.Options{DataDir: dir}).stop()
	for _, name := range []string{keys.RootFile, keys.SigningFile, keys.NoteFile, keys.TrustFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	o := publisher.Options{DataDir: dir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0"}
	if _, err := publisher.New(o); err == nil || !strings.Contains(err.Error(), "restore signing.key") {
		t.Errorf("a data directory that lost its keys gives %v", err)
	}
	o.KeysDir = filepath.Join(t.TempDir(), "none")
	if _, err := publisher.New(o); err == nil || !strings.Contains(err.Error(), "publisher keys init "+o.KeysDir) {
		t.Errorf("a directory without keys gives %v", err)
	}
	if _, err := keys.Init(o.KeysDir); err != nil {
		t.Fatal(err)
	}
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
