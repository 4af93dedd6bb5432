package publisher_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/writer"
)

// restore restores a backup.
func restore(t testing.TB, o publisher.Options, path string) (publisher.RestoredBackup, error) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return publisher.RestoreBackup(t.Context(), o, file, publisher.Restoring{Order: writer.Order{Actor: "operator", Reason: "a fire"}})
}

// What was backed up under load is there again where it is restored, as the same installation: sidecars that know more than the backup take
// over the new epoch and never are empty, and the audit verifies. It is so on an embedded server and on a cluster.
func TestRestoreAsTheSameInstallation(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]func(t *testing.T) publisher.Options{
		"in a data directory": func(t *testing.T) publisher.Options {
			t.Helper()
			return house(t)
		},
		"on a cluster": func(t *testing.T) publisher.Options {
			t.Helper()
			return publisher.Options{NATS: natstest.StartCluster(t).URL(), Replicas: 3, KeysDir: trusttest.Default().Directory(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := house(t)
			r := governed(t, o)
			stop := r.busy()
			way := newRoad(t, r)
			old := way.follow()
			r.await("flags", func() bool { return old.store.View() != nil && old.store.View().Rules().Len() > 2 })
			file, made := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
			backed := old.follower.Status().Applied.Revision
			r.await("changes behind the backup", func() bool { return old.follower.Status().Applied.Revision > backed+4 })
			stop()
			r.stop()

			to := elsewhere(t)
			done, err := restore(t, to, file)
			if err != nil {
				t.Fatal(err)
			}
			if !done.Same() || done.Installation != made.Installation || len(done.Epochs) != 2 || done.Epochs[0].Name != "prod" || done.KeysWritten {
				t.Errorf("%+v", done)
			}
			if _, err := restore(t, to, file); !errors.Is(err, publisher.ErrNotEmpty) {
				t.Errorf("restored twice: %v", err)
			}
			again := governed(t, to)
			again.verifyRestored(done.Epochs[0])
			way.Redirect(hostOf(again.NATSURL()))
			again.wantCurrent(old, way.follow())
			again.agreeAndApply(again.propose("behind", ""))
			again.wantCurrent(old)
			if old.body("behind") == "" {
				t.Error("a sidecar lacks a new flag")
			}
			again.export()
			backUp(t, to, false)
		})
	}
}

// verifyRestored compares prod with what the backup had.
func (r *running) verifyRestored(e publisher.RestoredEnvironment) {
	r.t.Helper()
	flags, err := r.client.AllDocuments(r.t.Context(), "prod", flagID("").Kind)
	if err != nil || len(flags) != e.Documents {
		r.t.Errorf("%d flags, %v; want %d", len(flags), err, e.Documents)
	}
	if _, err := os.Stat(filepath.Join(r.dataDir, "unfinished")); r.dataDir != "" && !errors.Is(err, os.ErrNotExist) {
		r.t.Errorf("the mark is left: %v", err)
	}
	acts, err := r.client.ControlRecords(r.t.Context(), api.RecordQuery{})
	if err != nil || !slices.ContainsFunc(acts.Items, func(a api.Record) bool { return a.Type == "control.restored" && strings.Contains(a.Reason, "a fire") }) {
		r.t.Errorf("CONTROL does not tell: %+v, %v", acts, err)
	}
}

// A restore that is killed at any moment leaves what no publisher uses, and a second one completes.
func TestRestoreThatIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: kills processes, which go test without it does")
	}
	t.Parallel()
	o := house(t)
	r := governed(t, o)
	r.busy()()
	file, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	before := r.flags()
	r.stop()
	for name, to := range map[string]publisher.Options{
		"in a data directory": house(t),
		"on a server":         {NATS: natstest.Start(t).URL(), KeysDir: o.KeysDir},
	} {
		t.Run(name, func(t *testing.T) {
			killUntilDone(t, task{What: "restore", File: file, Target: placeOf(to)}, func() {
				if to.DataDir == "" || !exists(filepath.Join(to.DataDir, "unfinished")) {
					return
				}
				if _, err := publisher.New(publisher.Options{DataDir: to.DataDir, KeysDir: to.KeysDir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0"}); !errors.Is(err, publisher.ErrUnfinished) {
					t.Fatalf("a publisher uses what is not complete: %v", err)
				}
			})
			again := governed(t, to)
			if now := again.flags(); !maps.Equal(now, before) {
				t.Errorf("%d flags, %d were there", len(now), len(before))
			}
			again.export()
		})
	}
}

// Without the keys a new installation gets the flags and nothing else, under its own signatures, and says so. A backup with keys needs none besides.
func TestRestoreOfKeys(t *testing.T) {
	skipShort(t)
	t.Parallel()
	o := house(t)
	r := governed(t, o)
	r.busy()()
	before := r.flags()
	without, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	with, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, true)
	r.stop()

	empty := publisher.Options{DataDir: filepath.Join(t.TempDir(), "new")}
	done, err := restore(t, empty, with)
	if err != nil || !done.Same() || !done.KeysWritten {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, name := range []string{"root.key", "signing.key"} {
		if info, err := os.Stat(filepath.Join(empty.DataDir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := governed(t, empty).flags(); !maps.Equal(now, before) {
		t.Errorf("with keys: %d flags, %d were there", len(now), len(before))
	}

	fresh := publisher.Options{DataDir: filepath.Join(t.TempDir(), "new")}
	done, err = restore(t, fresh, without)
	if err != nil || done.Same() || done.KeysWritten || done.Installation == "" {
		t.Fatalf("%+v, %v", done, err)
	}
	other := governed(t, fresh)
	if now := other.flags(); !maps.Equal(now, before) {
		t.Errorf("without keys: %d flags, %d were there", len(now), len(before))
	}
	other.agreeAndApply(other.propose("behind", ""))
	other.stop()
	if again, err := keys.Open(fresh.DataDir); err != nil || again.Keyring.Installation() != done.Installation || done.Installation == trusttest.Default().Installation {
		t.Errorf("%s, %v", done.Installation, err)
	}
	backUp(t, fresh, false)

	server := natstest.Start(t).URL()
	elsewhere := publisher.Options{NATS: server, KeysDir: filepath.Join(t.TempDir(), "keys")}
	if _, err := restore(t, elsewhere, without); !errors.Is(err, keys.ErrNoKeys) {
		t.Errorf("on a server, without keys: %v", err)
	}
	if done, err := restore(t, elsewhere, with); err != nil || !done.KeysWritten || !exists(filepath.Join(elsewhere.KeysDir, "signing.key")) {
		t.Errorf("on a server, with keys: %+v, %v", done, err)
	}
	if _, err := restore(t, elsewhere, with); !errors.Is(err, publisher.ErrNotEmpty) || !strings.Contains(err.Error(), "was restored here before") {
		t.Errorf("again: %v", err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// flags returns what the publisher has of flags in prod.
func (r *running) flags() map[string]string {
	r.t.Helper()
	all, err := r.client.AllDocuments(r.t.Context(), "prod", flagID("").Kind)
	if err != nil {
		r.t.Fatal(err)
	}
	found := make(map[string]string)
	for _, d := range all {
		found[d.Key] = string(d.Document)
	}
	return found
}

// What is there already is not touched, and the remedy is named. Nothing is written of a backup that is damaged or of another installation.
func TestRestoreIsRefused(t *testing.T) {
	skipShort(t)
	t.Parallel()
	o := house(t)
	r := governed(t, o)
	r.busy()()
	file, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	r.stop()
	if _, err := restore(t, o, file); !errors.Is(err, publisher.ErrNotEmpty) || !strings.Contains(err.Error(), "name a directory without streams") {
		t.Errorf("into the publisher's own directory: %v", err)
	}
	other := publisher.Options{NATS: natstest.Start(t).URL(), KeysDir: o.KeysDir}
	governed(t, other).create("prod")
	if _, err := restore(t, other, file); !errors.Is(err, publisher.ErrNotEmpty) || !strings.Contains(err.Error(), "nats stream rm") {
		t.Errorf("onto a server with an environment: %v", err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() []byte{
		"cut":     func() []byte { return data[:len(data)-40] },
		"flipped": func() []byte { d := bytes.Clone(data); d[len(d)/2] ^= 1; return d },
	} {
		damaged := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(damaged, damage(), 0o600); err != nil {
			t.Fatal(err)
		}
		to := house(t)
		_, err := restore(t, to, damaged)
		if why, ok := errors.AsType[*backup.DamagedError](err); !ok || why.Offset == 0 || exists(filepath.Join(to.DataDir, "jetstream")) || exists(filepath.Join(to.DataDir, "unfinished")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	to := house(t)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = publisher.RestoreBackup(t.Context(), to, f, publisher.Restoring{Trust: trusttest.New().Trust})
	if err == nil || !strings.Contains(err.Error(), "the trust file is of") || exists(filepath.Join(to.DataDir, "jetstream")) {
		t.Errorf("with another trust file: %v", err)
	}
}

// A backup whose checksums were computed again is refused all the same where it is not what publishers signed, and the record is named.
func TestForgedBackupIsRefused(t *testing.T) {
	skipShort(t)
	t.Parallel()
	o := house(t)
	r := governed(t, o)
	r.busy()()
	file, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	r.stop()
	for name, forge := range map[string]struct {
		change func(stream string, m *backup.Message) (kept bool)
		header func(*backup.Header)
		want   string
	}{
		"a flag": {want: "FLAGS_prod at 5", change: func(stream string, m *backup.Message) bool {
			if stream == "FLAGS_prod" && m.Sequence == 5 {
				m.Data = bytes.Replace(m.Data, []byte("op"), []byte("po"), 1)
			}
			return true
		}},
		"a record of a ledger left out": {want: "LEDGER_prod", change: func(stream string, m *backup.Message) bool {
			return stream != "LEDGER_prod" || m.Sequence != 4
		}},
		"the newest entries left out": {want: "FLAGS_staging", change: func(stream string, m *backup.Message) bool {
			return stream != "FLAGS_staging" || m.Sequence <= 4
		}, header: func(h *backup.Header) {
			for i := range h.Streams {
				if h.Streams[i].Name == "FLAGS_staging" {
					h.Streams[i].Last = 4
				}
			}
		}},
		"the checkpoint": {want: "checkpoint", header: func(h *backup.Header) {
			h.Checkpoint = strings.Replace(h.Checkpoint, "FLAGS_prod", "FLAGS_drop", 1)
		}},
		"an environment": {want: "there is no ledger of environment", header: func(h *backup.Header) { h.Streams = h.Streams[:2] }},
		"persons":        {want: "there is no PEOPLE", header: func(h *backup.Header) { h.Streams = h.Streams[1:] }},
	} {
		forged := rewrite(t, file, forgery{change: forge.change, header: forge.header})
		to := house(t)
		if _, err := restore(t, to, forged); err == nil || !strings.Contains(err.Error(), forge.want) || exists(filepath.Join(to.DataDir, "jetstream")) {
			t.Errorf("%s: %v; want %q", name, err, forge.want)
		}
	}
}

// forgery is what a writer to a backup changes in it, each as far as it is not nil.
type forgery struct {
	change func(stream string, m *backup.Message) (kept bool)
	header func(*backup.Header)
	added  map[string]backup.Message // by stream; the sequence is that of the header
	keys   keys.Files
}

// rewrite writes a backup anew, as one can who has no keys.
func rewrite(t testing.TB, file string, forge forgery) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := backup.Open(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	h := f.Header
	h.Streams = slices.Clone(h.Streams)
	if forge.header != nil {
		forge.header(&h)
	}
	h.Keys = forge.keys != nil
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	write := func(stream int, m backup.Message) {
		if err := w.Write(stream, m); err != nil {
			t.Fatal(err)
		}
	}
	if h.Keys {
		if err := w.WriteKeys(forge.keys); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range h.Streams {
		number, known := f.Stream(s.Name)
		all := f.All(number)
		if !known {
			all = func(func(backup.Message, error) bool) {}
		}
		for m, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			if forge.change == nil || forge.change(s.Name, &m) {
				write(i, m)
			}
		}
		if m, ok := forge.added[s.Name]; ok {
			m.Sequence = s.Last
			write(i, m)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(t.TempDir(), "forged")
	if err := os.WriteFile(forged, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return forged
}
