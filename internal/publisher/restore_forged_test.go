package publisher_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// A message of a backup can be sent to no subject but one of its stream: a request to delete a stream of others is refused before anything is
// written, and so is a stream that CONTROL does not name.
func TestForgedBackupSendsNothingElsewhere(t *testing.T) {
	t.Parallel()
	o := house(t)
	r := governed(t, o)
	r.create("prod")
	r.agreeAndApply(r.propose("a", ""))
	file, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	r.stop()
	server := natstest.Start(t)
	conn := server.Client(t)
	js := natstest.JetStream(t, conn)
	answer, err := conn.Request("$JS.API.STREAM.CREATE.ORDERS", []byte(`{"name":"ORDERS","subjects":["orders"]}`), 10*time.Second)
	if err != nil || strings.Contains(string(answer.Data), `"error"`) {
		t.Fatal(err, answer)
	}
	for name, forge := range map[string]struct {
		forgery
		want string
	}{
		"a subject": {want: "cannot have a message with the subject", forgery: forgery{
			header: func(h *backup.Header) { h.Streams[0].Last++ },
			added:  map[string]backup.Message{"PEOPLE": {Subject: "$JS.API.STREAM.DELETE.ORDERS"}},
		}},
		"a stream": {want: "CONTROL names no environment of the stream FLAGS_evil", forgery: forgery{
			header: func(h *backup.Header) { h.Streams = append(h.Streams, backup.Stream{Name: "FLAGS_evil", Last: 1}) },
			added:  map[string]backup.Message{"FLAGS_evil": {Subject: "flags.evil.x", Data: []byte("planted")}},
		}},
	} {
		_, err = restore(t, publisher.Options{NATS: server.URL(), KeysDir: o.KeysDir}, rewrite(t, file, forge.forgery))
		if err == nil || !strings.Contains(err.Error(), forge.want) {
			t.Errorf("%s: %v; want %q", name, err, forge.want)
		}
		var names []string
		for n := range js.StreamNames() {
			names = append(names, n)
		}
		if !slices.Equal(names, []string{"ORDERS"}) {
			t.Errorf("%s: the server has %s", name, names)
		}
		to := house(t)
		if _, err := restore(t, to, rewrite(t, file, forge.forgery)); err == nil || exists(filepath.Join(to.DataDir, "jetstream")) {
			t.Errorf("%s, into a data directory: %v", name, err)
		}
	}
}

// attackersKeys are keys with which a publisher of an installation would run: their trust file has the genuine root key besides that of the
// attacker, and their keys note, a newer one, lists the genuine signing key.
func attackersKeys(t testing.TB, genuine changelog.Trust) keys.Files {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, rootPublic, err := changelog.GenerateKey(genuine.Installation())
	must(err)
	signing, public, err := changelog.GenerateKey(genuine.Installation())
	must(err)
	n, err := changelog.NewKeysNote(genuine.Installation(), genuine.Floor().Version+1, root, append([]string{public}, genuine.Floor().Keys...)...)
	must(err)
	both, err := changelog.ParseTrust([]byte(genuine.Roots()[0].Public + "\n" + rootPublic + "\n"))
	must(err)
	both, err = both.WithFloor(n.Text)
	must(err)
	return keys.Files{
		keys.RootFile: []byte(root + "\n"), keys.SigningFile: []byte(signing + "\n"), keys.NoteFile: []byte(n.Text), keys.TrustFile: []byte(both.String()),
	}
}

// Keys in a backup are installed only if the trust file that was given has all their root keys, and none is revoked by what is known.
func TestForgedKeysAreRefused(t *testing.T) {
	t.Parallel()
	own := trusttest.New()
	o := publisher.Options{DataDir: t.TempDir(), KeysDir: own.Directory(t)}
	r := governed(t, o)
	r.create("prod")
	without, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	with, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, true)
	r.stop()
	genuine, err := own.Trust.WithFloor(own.Note.Text)
	if err != nil {
		t.Fatal(err)
	}
	root, _, err := changelog.GenerateKey(genuine.Installation())
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := changelog.GenerateKey(genuine.Installation())
	if err != nil {
		t.Fatal(err)
	}
	next, err := changelog.NewKeysNote(genuine.Installation(), own.Note.Version+1, own.Root, other)
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := genuine.WithFloor(next.Text)
	if err != nil {
		t.Fatal(err)
	}
	strange := keys.Files{
		keys.RootFile: []byte(root + "\n"), keys.SigningFile: []byte(own.Signing + "\n"), keys.NoteFile: []byte(own.Note.Text), keys.TrustFile: []byte(genuine.String()),
	}
	for name, c := range map[string]struct {
		file  string
		trust changelog.Trust
		want  string
	}{
		"keys of an attacker":       {rewrite(t, without, forgery{keys: attackersKeys(t, genuine)}), genuine, "which the trust file does not have"},
		"a root key of an attacker": {rewrite(t, without, forgery{keys: strange}), genuine, "it is not among the root keys of the trust file"},
		"keys that were revoked":    {with, revoked, "does not list"},
	} {
		to := publisher.Options{DataDir: filepath.Join(t.TempDir(), "new")}
		_, err := restoreTrusting(t, to, c.file, c.trust)
		if err == nil || !strings.Contains(err.Error(), c.want) || exists(to.DataDir) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	if done, err := restoreTrusting(t, publisher.Options{DataDir: filepath.Join(t.TempDir(), "new")}, with, genuine); err != nil || !done.KeysWritten {
		t.Errorf("the genuine keys: %+v, %v", done, err)
	}
}

// A keys note that is known here counts also where an older trust file is given: a key that it does not list proves no backup.
func TestOlderTrustFileRevivesNoKey(t *testing.T) {
	t.Parallel()
	own := trusttest.New()
	o := publisher.Options{DataDir: t.TempDir(), KeysDir: own.Directory(t)}
	r := governed(t, o)
	r.create("prod")
	file, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	r.stop()
	older, err := own.Trust.WithFloor(own.Note.Text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Revoke(o.KeysDir, "", fmt.Sprintf("%08x", own.Signer().ID())); err != nil {
		t.Fatal(err)
	}
	to := publisher.Options{DataDir: filepath.Join(t.TempDir(), "new"), KeysDir: o.KeysDir}
	if done, err := restoreTrusting(t, to, file, older); err == nil {
		t.Errorf("what a revoked key signed was restored: %+v", done)
	}
}

// restoreTrusting restores a backup that a trust file must prove.
func restoreTrusting(t testing.TB, o publisher.Options, path string, trust changelog.Trust) (publisher.RestoredBackup, error) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return publisher.RestoreBackup(t.Context(), o, file, publisher.Restoring{Trust: trust, Order: writer.Order{Actor: "operator"}})
}

// Keys of another installation find nothing in CONTROL that they signed: that is an error and no empty installation.
func TestWrongKeysSeeNoEmptyInstallation(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.stop()
	from := publisher.Options{NATS: server.URL(), KeysDir: trusttest.New().Directory(t)}
	if done, err := publisher.BackupFile(t.Context(), from, filepath.Join(t.TempDir(), "backup"), false); err == nil || !strings.Contains(err.Error(), "--keys") {
		t.Errorf("backup: %+v, %v", done, err)
	}
	if done, err := publisher.Move(t.Context(), from, publisher.Options{DataDir: filepath.Join(t.TempDir(), "new")}); err == nil || !strings.Contains(err.Error(), "--keys") {
		t.Errorf("move: %+v, %v", done, err)
	}
}
