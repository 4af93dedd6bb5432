package publisher_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/backup"
)

// load changes a flag of staging, and flags of prod by agreed change requests, until stop is called, which returns what was acknowledged
// last of the former. It counts changes.
func (r *running) load() (changes *atomic.Int64, stop func() (acknowledged int)) {
	var over atomic.Bool
	var working sync.WaitGroup
	changes = new(atomic.Int64)
	last := 0
	working.Go(func() {
		seen := absent()
		for n := 1; !over.Load(); n++ {
			_, next, err := r.client.Put(r.t.Context(), "staging", flagID("busy"), numbered(n), seen, api.ChangeHeaders{})
			if err != nil {
				r.t.Errorf("change %d: %v", n, err)
				return
			}
			seen, last = next, n
			changes.Add(1)
		}
	})
	working.Go(func() {
		for n := 0; !over.Load(); n++ {
			r.agreeAndApply(r.propose(fmt.Sprint("agreed-", n), ""))
			changes.Add(1)
		}
	})
	return changes, sync.OnceValue(func() int {
		over.Store(true)
		working.Wait()
		return last
	})
}

// busy creates environments and changes them until stop is called, and waits until some changes were made.
func (r *running) busy() (stop func() int) {
	r.t.Helper()
	r.create("prod")
	r.create("staging")
	changes, stop := r.load()
	r.t.Cleanup(func() { stop() })
	r.await("changes", func() bool { return changes.Load() > 20 })
	return stop
}

// backUp returns the file of a backup.
func backUp(t testing.TB, o publisher.Options, withKeys bool) (file string, done publisher.BackedUp) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "flagside.backup")
	done, err := publisher.BackupFile(t.Context(), o, file, withKeys)
	if err != nil {
		t.Fatal(err)
	}
	return file, done
}

// A backup of a publisher that runs and is changed meanwhile is whole and proved: its streams name nothing that is not in it. Only its owner
// can read it, and keys are in it only if that was asked for.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	stop := r.busy()
	o := publisher.Options{DataDir: r.dataDir}
	for i := range 5 {
		file, done := backUp(t, o, i == 0)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() != done.Bytes || done.Keys != (i == 0) || len(done.Warnings) > 0 {
			t.Errorf("%v, %v, %+v", info, err, done)
		}
		f, err := backup.Open(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := os.ReadFile(filepath.Join(r.dataDir, "signing.key"))
		if err != nil {
			t.Fatal(err)
		}
		if found := f.Keys["signing.key"]; (string(found) == string(secret)) != (i == 0) || i > 0 && f.Keys != nil {
			t.Errorf("the keys: %d files", len(f.Keys))
		}
		var names []string
		for _, s := range done.Streams {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != "PEOPLE CONTROL LEDGER_prod FLAGS_prod LEDGER_staging FLAGS_staging" {
			t.Error(got)
		}
	}
	stop()
	r.stop()
	if _, done := backUp(t, o, false); len(done.Streams) != 6 {
		t.Errorf("while no publisher runs: %+v", done)
	}
}

// What no publisher signed is copied as it is, with its headers and its place, and changes nothing.
func TestBackupOfNoise(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	stop := r.busy()
	pollute(t, server, "staging")
	stop()
	pollute(t, server, "staging")
	o := publisher.Options{NATS: server.URL(), KeysDir: trusttest.Default().Directory(t)}
	file, done := backUp(t, o, false)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := backup.Open(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client(t)
	for i, s := range done.Streams {
		messages := 0
		for m, err := range f.All(i) {
			if err != nil {
				t.Fatal(err)
			}
			messages++
			stored := natstest.StoredAt(t, client, s.Name, m.Sequence)
			headers := make(map[string][]string)
			for _, h := range m.Headers {
				headers[h.Name] = append(headers[h.Name], h.Value)
			}
			if stored.Subject != m.Subject || !bytes.Equal(stored.Data, m.Data) || fmt.Sprint(headers) != fmt.Sprint(map[string][]string(stored.Header)) {
				t.Errorf("%s at %d: %s %v %q, stored was %s %v %q", s.Name, m.Sequence, m.Subject, headers, m.Data, stored.Subject, stored.Header, stored.Data)
			}
		}
		if messages != s.Messages {
			t.Errorf("%s: %d messages, %d were announced", s.Name, messages, s.Messages)
		}
	}
}

// A backup is refused where it would replace a file, and leaves nothing behind when it fails.
func TestBackupThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []publisher.Options{{DataDir: filepath.Join(dir, "nothing")}, {NATS: "nats://127.0.0.1:1", KeysDir: trusttest.Default().Directory(t)}} {
		for _, file := range []string{there, filepath.Join(dir, "new")} {
			if _, err := publisher.BackupFile(t.Context(), o, file, false); err == nil {
				t.Errorf("%+v: no error", o)
			}
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if e.Name() != "there" && e.Name() != "nothing" {
			t.Errorf("%s is left", e.Name())
		}
	}
	if kept, err := os.ReadFile(there); string(kept) != "keep" || errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q, %v", kept, err)
	}
}

// A backup that is killed at any moment leaves no file, which could hold keys, until it is whole.
func TestBackupThatIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: kills processes, which go test without it does")
	}
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.busy()()
	r.stop()
	dir := t.TempDir()
	file := filepath.Join(dir, "flagside.backup")
	from := publisher.Options{NATS: server.URL(), KeysDir: trusttest.Default().Directory(t)}
	left := func() {
		if found, err := os.ReadDir(dir); err != nil || len(found) > 0 && found[0].Name() != filepath.Base(file) {
			t.Errorf("%s, %v", found, err)
		}
	}
	killUntilDone(t, task{What: "backup", File: file, Source: placeOf(from)}, left)
	left()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// Where no file can be without a name, the same comes of it: one file, which replaces none.
func TestNamedFileReplacesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new")
	if err := publisher.CompleteNamed(file); err != nil {
		t.Fatal(err)
	}
	if err := publisher.CompleteNamed(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("%s, %v", left, err)
	}
}

// Only the owner of a data directory reaches the streams through it.
func TestTheSocketIsForItsOwner(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	socket := filepath.Join(r.dataDir, "publisher.sock")
	r.await("the socket", func() bool { return exists(socket) })
	info, err := os.Lstat(socket)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	r.stop()
	if exists(socket) {
		t.Error("the socket stays")
	}
}
