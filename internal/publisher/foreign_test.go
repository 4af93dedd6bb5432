package publisher_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// polluted is a publisher whose streams all hold messages that no publisher signed.
type polluted struct {
	*running

	server *natstest.Server
	reader *reader
	t      *testing.T
	dir    string // of the keys
	n      int    // of the newest flag body
}

// pollutedPublisher starts a publisher and pollutes all streams.
func pollutedPublisher(t *testing.T) *polluted {
	t.Helper()
	server, dir := natstest.Start(t), trusttest.Default().Directory(t)
	p := &polluted{t: t, running: start(t, publisher.Options{NATS: server.URL(), KeysDir: dir}), server: server, dir: dir}
	p.create(natstest.Environment)
	p.reader = read(t, server, natstest.Environment)
	p.change()
	pollute(t, server, natstest.Environment)
	return p
}

// change writes the flag f, over what is there, and waits until a sidecar and a new one serve it.
func (p *polluted) change() {
	p.t.Helper()
	p.n++
	p.await("a change", func() bool {
		_, seen, err := p.client.Document(p.t.Context(), natstest.Environment, flagID("f"))
		if err != nil {
			seen = absent()
		}
		_, _, err = p.client.Put(p.t.Context(), natstest.Environment, flagID("f"), numbered(p.n), seen, api.ChangeHeaders{})
		return err == nil
	})
	p.serves(string(numbered(p.n)))
}

// serves waits until a sidecar that was there and a cold one serve a flag.
func (p *polluted) serves(body string) {
	p.t.Helper()
	cold := read(p.t, p.server, natstest.Environment)
	for what, r := range map[string]*reader{"the sidecar": p.reader, "a cold sidecar": cold} {
		p.await("the flag at "+what, func() bool { return r.body("f") == body })
	}
	cold.stop()
}

// Messages of all kinds that no publisher signed stand in every stream before each operation and after it.
func TestForeignMessagesStopNothing(t *testing.T) {
	t.Parallel()
	for name, operate := range map[string]func(p *polluted){
		"change": func(*polluted) {},
		"create": func(p *polluted) {
			p.create("another")
			p.put("another", "f", flagBody("on", ""), absent())
		},
		"recreate": func(p *polluted) {
			if _, err := p.client.RecreateEnvironment(p.t.Context(), natstest.Environment, api.RecreateQuery{}, api.RestoreHeaders{}); err != nil {
				p.t.Fatal(err)
			}
			p.serves(string(numbered(p.n)))
		},
		"restore": func(p *polluted) {
			restored := snapshot(p.t, natstest.Environment, flagOf("f", flagBody("off", "")))
			if _, err := p.client.RestoreEnvironment(p.t.Context(), natstest.Environment, restored, api.RestoreQuery{}, anyway("it is needed")); err != nil {
				p.t.Fatal(err)
			}
			p.serves(string(flagBody("off", "")))
		},
		"publisher restart": func(p *polluted) {
			p.stop()
			p.running = start(p.t, publisher.Options{NATS: p.server.URL(), KeysDir: p.dir})
		},
		"rotation": func(p *polluted) {
			for _, step := range []func(dir, root string) (keys.Change, error){keys.Rotate, keys.Finish} {
				changed, err := step(p.dir, "")
				if err != nil {
					p.t.Fatal(err)
				}
				p.await("the keys note", func() bool { return strings.Contains(p.log.String(), fmt.Sprintf(`"version":%d,`, changed.Version)) })
				pollute(p.t, p.server, natstest.Environment)
				p.change()
			}
		},
		"token": func(p *polluted) {
			if _, err := p.client.CreateToken(p.t.Context(), api.NewToken{Name: "ci", Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{}); err != nil {
				p.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pollutedPublisher(t)
			operate(p)
			pollute(t, p.server, natstest.Environment)
			p.change()
			if a := p.ask(http.MethodGet, "/api/v1/environments/"+natstest.Environment+"/ledger", ""); a.status != http.StatusOK {
				t.Errorf("the ledger: %d %s", a.status, a.body)
			}
		})
	}
}

// A snapshot that another installation signed takes the place of nothing.
func TestRestoreOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)})
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	forged := trusttest.New().Snapshot(t, "prod", flagOf("f", flagBody("off", "")))
	if _, err := r.client.RestoreEnvironment(t.Context(), "prod", forged, api.RestoreQuery{}, anyway("it is needed")); err == nil {
		t.Error("a snapshot of another installation is restored")
	}
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.body != string(flagBody("on", "")) {
		t.Errorf("the flag is %d %s", a.status, a.body)
	}
}

// Keys are files. No operation of the API is about them, whatever a policy permits.
func TestTheAPIHasNoOperationOnKeys(t *testing.T) {
	t.Parallel()
	for path := range readContract(t).Paths {
		for part := range strings.SplitSeq(path, "/") {
			switch part {
			case "key", "keys", "root", "trust", "sign", "signing", "rotate", "credentials":
				t.Errorf("the API declares %s", path)
			}
		}
	}
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)})
	for _, path := range []string{"/api/v1/keys", "/api/v1/trust", "/signing.key", "/root.key", "/api/v1/../signing.key"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			if a := r.ask(method, path, ""); a.status < http.StatusBadRequest || strings.Contains(a.body, "PRIVATE") {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
	}
}

// The streams hold snapshots that no publisher of the installation signed, with their chunks. Neither a publisher that starts, nor a
// sidecar that does, takes one.
func TestForgedSnapshotsAndARestart(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := start(t, publisher.Options{NATS: server.URL()})
	r.create(natstest.Environment)
	r.put(natstest.Environment, "f", flagBody("on", ""), absent())
	first := read(t, server, natstest.Environment)
	r.await("the sidecar", func() bool { return first.body("f") != "" })
	head := first.store.Position()
	c := server.Client(t)
	forge := func(keys trusttest.Keys, signature func(changelog.Signature) changelog.Signature) {
		t.Helper()
		data := keys.Snapshot(t, natstest.Environment, flagOf("f", flagBody("off", "")))
		hash := changelog.Sum(data)
		manifest, signed, err := changelog.EncodeManifest(keys.Signer(), natstest.Environment, changelog.Manifest{
			Keys: keys.Note.Text, Snapshots: []changelog.PublishedSnapshot{{
				Epoch: head.Epoch, Revision: head.Revision, Digest: head.Digest, State: changelog.Sum(nil), Count: 1, Bytes: int64(len(data)), Chunks: 1,
				Hash: hash, LogBytes: 1 << 40, // as if it saved much
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		base := "snap." + natstest.Environment
		natstest.Store(t, c, natstest.Message{Subject: fmt.Sprintf("%s.chunk.%s.%d.%s.1", base, head.Epoch, head.Revision, hash), Data: data})
		natstest.Store(t, c, natstest.Message{Subject: base + ".manifest", Data: manifest}.With(changelog.ProofHeader, string(signature(signed))))
	}
	same := func(s changelog.Signature) changelog.Signature { return s }
	forge(trusttest.New(), same)
	forge(trusttest.Default(), func(changelog.Signature) changelog.Signature { return "x" })
	forge(trusttest.Default(), same) // a true manifest of a snapshot that is another state than was signed there
	r.stop()
	again := start(t, publisher.Options{NATS: server.URL()})
	if a := again.ask(http.MethodGet, "/api/v1/environments/"+natstest.Environment+"/flags/f", ""); a.body != string(flagBody("on", "")) {
		t.Errorf("the publisher has %d %s", a.status, a.body)
	}
	cold := read(t, server, natstest.Environment)
	again.await("the cold sidecar", func() bool { return cold.body("f") != "" })
	if body := cold.body("f"); body != string(flagBody("on", "")) {
		t.Errorf("a cold sidecar serves %s", body)
	}
}
