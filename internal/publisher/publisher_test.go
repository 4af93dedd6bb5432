package publisher_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	f := func(o publisher.Options, want string) {
		t.Helper()
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %s", o, err, want)
		}
		if p, err := publisher.New(o); err == nil {
			t.Errorf("%+v: accepted", o)
			_ = p.Close()
		}
	}
	f(publisher.Options{}, "give --data-dir")
	f(publisher.Options{DataDir: "d", AdminAddr: "0.0.0.0:0"}, "loopback")
	f(publisher.Options{DataDir: "d", AdminAddr: ":0"}, "loopback")
	f(publisher.Options{DataDir: "d", NATS: "nats://127.0.0.1:1"}, "leave one out")
	f(publisher.Options{NATSAddr: "127.0.0.1:0", NATS: "nats://127.0.0.1:1"}, "leave one out")
	f(publisher.Options{DataDir: "d", Replicas: 3}, "--replicas 3")
	f(publisher.Options{NATS: "nats://127.0.0.1:1", Replicas: 6}, "--replicas 6")
	f(publisher.Options{NATS: "nats://127.0.0.1:1"}, "--keys")
	f(publisher.Options{DataDir: "d", Compatibility: "other"}, "compatibility")

	if p, err := publisher.New(publisher.Options{DataDir: t.TempDir(), NATSAddr: "0.0.0.0:0", AdminAddr: "127.0.0.1:0"}); err == nil {
		_ = p.Close()
		t.Error("the embedded NATS server may listen beyond loopback")
	}
}

// Two publishers must not write the same files. A data directory is free again when its publisher has ended, or was never run.
func TestDataDirBelongsToOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := publisher.Options{DataDir: dir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0"}
	first := start(t, publisher.Options{DataDir: dir})
	if p, err := publisher.New(o); err == nil || !strings.Contains(err.Error(), "another publisher") {
		t.Errorf("a second publisher over the same directory: %v", err)
		if err == nil {
			_ = p.Close()
		}
	}
	first.stop()
	second, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	start(t, publisher.Options{DataDir: dir})
}

// An environment follows the compatibility that its creation names, else that of the publisher.
func TestCompatibilityOfNewEnvironments(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	tolerant := start(t, publisher.Options{DataDir: t.TempDir(), Compatibility: eval.CompatibilityFlagd})
	if _, err := r.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "named", Compatibility: "flagd"}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.create("strict")
	tolerant.create("default")
	unknown := flagBody("on", `,"targeting":{"no_such_operator":[1]}`)
	r.put("named", "f", unknown, absent())
	tolerant.put("default", "f", unknown, absent())
	if _, _, err := r.client.Put(t.Context(), "strict", flagID("f"), unknown, absent(), api.ChangeHeaders{}); err == nil {
		t.Error("a strict environment takes an unknown operator")
	}
}

// Anyone who has created an environment can use it at once.
func TestNewEnvironmentIsComplete(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	for i := range 5 {
		name := fmt.Sprintf("e%d", i)
		e, err := r.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: name}, api.AdministrationHeaders{})
		if err != nil {
			t.Fatal(err)
		}
		if e.Refused != "" || e.Revision == "" {
			t.Errorf("a new environment is %+v", e)
		}
		if a := r.ask(http.MethodGet, "/api/v1/environments/"+name+"/flags", ""); a.status != http.StatusOK {
			t.Errorf("its flags are listed as %d %s", a.status, a.body)
		}
	}
}

// Environments that another publisher creates and archives are followed and left without a restart.
func TestOtherPublishers(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	one := start(t, publisher.Options{NATS: server.URL()})
	other := start(t, publisher.Options{NATS: server.URL()})
	one.create("prod")
	other.await("the new environment", func() bool {
		return other.ask(http.MethodGet, flags, "").status == http.StatusOK
	})
	seen := one.put("prod", "f", flagBody("on", ""), absent())
	other.put("prod", "f", flagBody("off", ""), seen)
	if _, err := other.client.ArchiveEnvironment(t.Context(), "prod", api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	one.await("the end of the environment", func() bool {
		return one.ask(http.MethodGet, flags, "").status == http.StatusGone
	})
}

// More flags than fit into one transaction arrive, and leave again, whole.
func TestReplaceManyFlags(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), ReadOnly: map[string]string{"filed": "Change the file."}})
	r.create("filed")
	service, err := r.Control(t.Context(), "filed")
	if err != nil {
		t.Fatal(err)
	}
	var wanted []document.Document
	for i := range 2300 {
		wanted = append(wanted, document.Document{Kind: document.KindFlag, Key: fmt.Sprintf("f%04d", i), Body: flagBody("on", "")})
	}
	owner := decide.Origin{Actor: "file", Owner: true}
	for _, wanted := range [][]document.Document{wanted, wanted[:50], nil} {
		result, err := service.Do(t.Context(), owner, decide.Replace{Documents: wanted})
		if err != nil {
			t.Fatal(err)
		}
		state, err := service.Known()
		if err != nil || state.Rules().Len() != len(wanted) || state.Position() != result.Position {
			t.Fatalf("%d flags at %v, %v; want %d at %v", state.Rules().Len(), state.Position(), err, len(wanted), result.Position)
		}
	}
	if _, err := service.Do(t.Context(), decide.Origin{Actor: "somebody"}, decide.Replace{Documents: wanted}); err == nil {
		t.Error("a read-only environment was changed by someone else")
	}
	// The parts are several changes of one operation.
	log := r.ask(http.MethodGet, "/api/v1/environments/filed/flags/f2299/history", "").body
	if !strings.Contains(log, `-3"`) {
		t.Errorf("the third part is not named as such: %s", log)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	text := r.ask(http.MethodGet, "/metrics", "").body
	for _, line := range []string{
		"flagside_environments 1\n",
		`flagside_appends_total{environment="prod",outcome="committed"} 1` + "\n",
		`flagside_environment_revision{environment="prod"} 3` + "\n",
		`flagside_environment_head_revision{environment="prod"} 3` + "\n",
		`flagside_environment_flags{environment="prod"} 1` + "\n",
		`flagside_environment_writable{environment="prod"} 1` + "\n",
		`flagside_environment_age_seconds{environment="prod"} `,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// Requests in flight are decided when the publisher stops, whatever comes first.
func TestStopDecidesWritesInFlight(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, publisher.Options{DataDir: dir})
	r.create("prod")
	type written struct {
		key string
		err error
	}
	results := make(chan written, 20)
	for i := range cap(results) {
		key := fmt.Sprintf("f%d", i)
		go func() {
			_, _, err := r.client.Put(t.Context(), "prod", flagID(key), flagBody("on", ""), absent(), api.ChangeHeaders{})
			results <- written{key, err}
		}()
	}
	first := <-results
	if first.err != nil {
		t.Fatal(first.err)
	}
	r.stop()
	acknowledged := []string{first.key}
	for range cap(results) - 1 {
		w := <-results
		if w.err == nil {
			acknowledged = append(acknowledged, w.key)
		}
		// The connection may be refused, but not what came over it: the log is there until the last request is answered.
		if problem, ok := errors.AsType[*client.Error](w.err); ok {
			t.Errorf("%s was in flight and is refused: %v", w.key, problem)
		}
	}
	r = start(t, publisher.Options{DataDir: dir})
	for _, key := range acknowledged {
		if _, _, err := r.client.Document(t.Context(), "prod", document.ID{Kind: document.KindFlag, Key: key}); err != nil {
			t.Errorf("%s was acknowledged and is not there: %v", key, err)
		}
	}
}
