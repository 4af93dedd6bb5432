package publisher_test

import (
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/writer"
)

// An environment that was archived when it was backed up begins a new epoch too, in which it can be revived: changes since then are signed at the
// same revisions. One that was destroyed is gone.
func TestRestoreOfArchivedEnvironments(t *testing.T) {
	skipShort(t)
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	order := api.AdministrationHeaders{Reason: "it is over", BreakGlass: true}
	for _, name := range []string{"prod", "old", "gone"} {
		r.create(name)
		if name == "prod" {
			continue
		}
		if _, err := r.client.ArchiveEnvironment(t.Context(), name, order); err != nil {
			t.Fatal(err)
		}
	}
	from := publisher.Options{NATS: server.URL(), KeysDir: trusttest.Default().Directory(t)}
	if _, err := publisher.Destroy(t.Context(), from, "gone", writer.Order{Actor: "operator", Reason: "it is over"}); err != nil {
		t.Fatal(err)
	}
	file, _ := backUp(t, from, false)
	r.stop()

	to := house(t)
	done, err := restore(t, to, file)
	if err != nil || len(done.Epochs) != 2 || len(done.LeftOut) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, e := range done.Epochs {
		if !e.Position.Epoch.Later(e.Left.Epoch) || e.Archived != (e.Name == "old") {
			t.Errorf("%+v", e)
		}
	}
	again := governed(t, to)
	if _, err := again.client.ReviveEnvironment(t.Context(), "old", order); err != nil {
		t.Fatal(err)
	}
	again.await("the revived environment", func() bool {
		_, err := again.Control(t.Context(), "old")
		return err == nil
	})
	again.put("old", "behind", flagBody("on", ""), absent())
	again.exportOf("old")
}
