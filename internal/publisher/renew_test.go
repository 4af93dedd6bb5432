package publisher_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/trusttest"
)

// snapshot returns a snapshot of an environment.
func snapshot(t *testing.T, environment string, documents ...document.Document) []byte {
	t.Helper()
	return trusttest.Default().Snapshot(t, environment, documents...)
}

func flagOf(key string, body []byte) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Revision: 3, Body: body}
}

// anyway asks to break the glass.
func anyway(reason string) api.RestoreHeaders {
	return api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: reason}, BreakGlass: true}
}

// The stream of a known environment is gone. A publisher that knew it writes what it knew as a new epoch; one that did not refuses.
func TestRecreate(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := start(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	seen := r.put("prod", "f", flagBody("on", ""), absent())
	other := start(t, publisher.Options{NATS: server.URL()})
	deleteStream(t, server, "FLAGS_prod")
	r.await("the refusal of writes", func() bool {
		a := r.ask(http.MethodPut, flags+"/g", string(flagBody("on", "")), "If-None-Match", "*")
		return a.problem.Type == "urn:flagside:problem:stream-lost" && strings.Contains(a.problem.Detail, "flagside environment recreate prod")
	})
	late := start(t, publisher.Options{NATS: server.URL()})
	if _, err := late.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{}); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("a publisher that knows nothing recreates: %v", err)
	}

	out, err := r.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{})
	if e := out.Environment; err != nil || e.Flags != 1 || e.Refused != "" || !out.NewEpoch || out.Request.ReviewOpen {
		t.Fatalf("recreated %+v, %v", out, err)
	}
	for name, r := range map[string]*running{"its author": r, "another": other, "one that came late": late} {
		r.await("the flag at "+name, func() bool {
			body, _, err := r.client.Document(t.Context(), "prod", flagID("f"))
			return err == nil && bytes.Equal(body, flagBody("on", ""))
		})
	}
	_, _, err = r.client.Put(t.Context(), "prod", flagID("f"), flagBody("off", ""), seen, api.ChangeHeaders{})
	if problem, ok := errors.AsType[*client.Error](err); !ok || problem.Status != http.StatusPreconditionFailed {
		t.Errorf("a revision of the old epoch: %v, want 412", err)
	}
	_, now, err := r.client.Document(t.Context(), "prod", flagID("f"))
	if err != nil {
		t.Fatal(err)
	}
	r.put("prod", "f", flagBody("off", ""), now)
	other.await("a write by another", func() bool {
		_, _, err := other.client.Put(t.Context(), "prod", flagID("g"), flagBody("on", ""), absent(), api.ChangeHeaders{})
		return err == nil
	})
}

// A log that is intact goes on with a new epoch, too.
func TestRecreateOfWhatIsThere(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)})
	r.create("prod")
	before := r.put("prod", "f", flagBody("on", ""), absent())
	out, err := r.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{})
	if e := out.Environment; err != nil || e.Flags != 1 || !strings.HasSuffix(e.Revision, "-6") {
		t.Fatalf("recreated %+v, %v", out, err)
	}
	if after := r.ask(http.MethodGet, flags+"/f", "").header.Get("ETag"); after == before.Match.String() {
		t.Errorf("the flag has its old revision %s", after)
	}
}

// A snapshot takes the place of what the environment had.
func TestRestore(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{
		DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t), ReadOnly: map[string]string{"filed": "The environment is what a file says: change it there."},
	})
	r.create("prod")
	r.create("filed")
	r.put("prod", "old", flagBody("on", ""), absent())

	good := snapshot(t, "prod", flagOf("f", flagBody("off", "")), flagOf("g", flagBody("on", "")))
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1] ^= 1
	for name, test := range map[string]struct {
		environment string
		snapshot    []byte
		status      int
		detail      string
	}{
		"damaged":             {"prod", damaged, http.StatusBadRequest, "checksum"},
		"no snapshot":         {"prod", []byte("{}"), http.StatusBadRequest, "format"},
		"of another":          {"prod", snapshot(t, "shop"), http.StatusBadRequest, "shop"},
		"with a bad document": {"prod", snapshot(t, "prod", flagOf("f", []byte(`{"state":1}`))), http.StatusUnprocessableEntity, "cannot be published"},
		"changed elsewhere":   {"filed", snapshot(t, "filed"), http.StatusForbidden, "a file"},
		"of none":             {"none", snapshot(t, "none"), http.StatusNotFound, "create it"},
	} {
		_, err := r.client.RestoreEnvironment(t.Context(), test.environment, test.snapshot, api.RestoreQuery{}, anyway("it is needed"))
		problem, ok := errors.AsType[*client.Error](err)
		if !ok || problem.Status != test.status || !strings.Contains(problem.Detail, test.detail) {
			t.Errorf("%s: %v, want %d and %q", name, err, test.status, test.detail)
		}
	}
	if a := r.ask(http.MethodPost, "/api/v1/environments/prod/restore", "{}", "Content-Type", "application/json"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("a snapshot as JSON: %d %s", a.status, a.body)
	}
	if _, _, err := r.client.Document(t.Context(), "prod", flagID("old")); err != nil {
		t.Fatalf("a refused snapshot has changed something: %v", err)
	}

	out, err := r.client.RestoreEnvironment(t.Context(), "prod", good, api.RestoreQuery{}, anyway("it is needed"))
	if err != nil || out.Environment.Flags != 2 || out.NewEpoch || out.Outcome != "applied" {
		t.Fatalf("restored %+v, %v", out, err)
	}
	if a := r.ask(http.MethodGet, flags+"/old", ""); a.status != http.StatusNotFound {
		t.Errorf("a flag that the snapshot lacks: %d %s", a.status, a.body)
	}
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.body != string(flagBody("off", "")) {
		t.Errorf("a flag of the snapshot: %d %s", a.status, a.body)
	}
	r.put("prod", "h", flagBody("on", ""), absent())
}

// Anyone who changed something can ask for it by its op-id.
func TestOperations(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)})
	r.create("prod")
	written, _, err := r.client.Put(t.Context(), "prod", flagID("f"), flagBody("on", ""), absent(), api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.client.Operation(t.Context(), "prod", written.OpID)
	if err != nil || o.State != "committed" || o.Revision != written.Revision {
		t.Errorf("the operation is %+v, %v; want it committed at %s", o, err, written.Revision)
	}
	if o, err = r.client.Operation(t.Context(), "prod", "none"); err != nil || o.State != "unknown" || o.Revision != "" {
		t.Errorf("an operation that no one began: %+v, %v, want that it is not known", o, err)
	}
}
