package publisher_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// With another NATS server the end is recorded while publishers run, and the streams are left to its operator. The ledger stays proved.
func TestDestroyOnAnotherServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	o := publisher.Options{NATS: server.URL(), KeysDir: trusttest.Default().Directory(t)}
	order := writer.Order{Actor: "operator", Reason: "it is over"}
	if _, err := publisher.Destroy(t.Context(), o, "prod", order); err == nil {
		t.Fatal("an environment in use is destroyed")
	}
	if _, err := r.client.ArchiveEnvironment(t.Context(), "prod", api.AdministrationHeaders{Reason: "it is over", BreakGlass: true}); err != nil {
		t.Fatal(err)
	}
	done, err := publisher.Destroy(t.Context(), o, "prod", order)
	if want := []string{"FLAGS_prod", "SNAP_prod"}; err != nil || !cmp.Equal(done.Remaining, want) || done.Control.IsZero() || done.Ledger == 0 {
		t.Fatalf("destroyed: %+v, %v; want %q to remain", done, err, want)
	}
	r.await("the end", func() bool {
		return strings.Contains(r.ask(http.MethodGet, "/api/v1/environments/prod", "").body, `"destroyed"`)
	})
	for _, stream := range done.Remaining {
		deleteStream(t, server, stream)
	}
	if a := r.ask(http.MethodPost, "/api/v1/environments/prod/revive", "", "Flagside-Break-Glass", "true", "Flagside-Reason", "a mistake"); a.status != http.StatusGone {
		t.Errorf("revived: %d %s", a.status, a.body)
	}
	r.await("the record in the ledger", func() bool {
		return slices.Contains(r.ledger(), "environment.destroyed")
	})
	if again, err := publisher.Destroy(t.Context(), o, "prod", order); err != nil || !again.Control.IsZero() || again.Ledger != 0 {
		t.Errorf("destroyed again: %+v, %v", again, err)
	}
	if c := r.condition("stream-lost"); c != "" {
		t.Errorf("a publisher misses what was destroyed: %s", c)
	}
}

// What was interrupted between the two records is completed, and says who had it done.
func TestDestroyIsCompleted(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	if _, err := r.client.ArchiveEnvironment(t.Context(), "prod", api.AdministrationHeaders{Reason: "it is over", BreakGlass: true}); err != nil {
		t.Fatal(err)
	}
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: server.URL(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Name: t.Name(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	list, err := writer.OpenEnvironments(t.Context(), conn, 1)
	if err == nil {
		_, err = list.Destroy(t.Context(), "prod", writer.Order{Actor: "operator", Reason: "the first time"})
	}
	if err != nil {
		t.Fatal(err)
	}
	o := publisher.Options{NATS: server.URL(), KeysDir: trusttest.Default().Directory(t)}
	done, err := publisher.Destroy(t.Context(), o, "prod", writer.Order{Actor: "operator", Reason: "again"})
	if err != nil || !done.Control.IsZero() || done.Ledger == 0 || len(done.Remaining) != 2 {
		t.Fatalf("completed: %+v, %v", done, err)
	}
	r.await("the record in the ledger", func() bool { return slices.Contains(r.ledger(), "environment.destroyed") })
	if a := r.ask(http.MethodGet, "/api/v1/environments/prod/ledger", ""); !strings.Contains(a.body, "the first time") || strings.Contains(a.body, `"again"`) {
		t.Errorf("the ledger says %s", a.body)
	}
	r.await("the refusal of its flags", func() bool {
		a := r.ask(http.MethodGet, "/api/v1/environments/prod/flags", "")
		return a.status == http.StatusGone && strings.Contains(a.body, "environment-destroyed")
	})
}
