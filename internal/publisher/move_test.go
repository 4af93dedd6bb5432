package publisher_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/sync/backup"
)

// An installation that is changed all the time is moved to a cluster of three and back, while sidecars follow: none is ever empty, all end with
// what the publisher has, in the same epoch, and every change that was acknowledged is there.
func TestMoveToAClusterAndBack(t *testing.T) {
	skipShort(t)
	t.Parallel()
	house := house(t)
	r := governed(t, house)
	way := newRoad(t, r)
	stop := r.busy()
	first := way.follow()
	r.await("flags", func() bool { return first.store.View() != nil && first.store.View().Rules().Len() > 2 })
	sidecars := []*mover{first}
	last := stop()
	before := r.flags()
	r.wantCurrent(sidecars...)
	epoch, digest := first.store.Position(), first.store.StateDigest()
	r.stop()

	cluster := publisher.Options{NATS: natstest.StartCluster(t).URL(), Replicas: 3, KeysDir: house.KeysDir}
	done, err := publisher.Move(t.Context(), publisher.Options{DataDir: house.DataDir, KeysDir: house.KeysDir}, cluster)
	if err != nil || len(done.Streams) != 6 || done.Left != house.DataDir {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := publisher.New(publisher.Options{DataDir: house.DataDir, KeysDir: house.KeysDir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0"}); !errors.Is(err, publisher.ErrMoved) {
		t.Fatalf("a publisher uses what was left: %v", err)
	}
	if err := publisher.Check(t.Context(), publisher.Options{DataDir: house.DataDir, KeysDir: house.KeysDir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0"}); !errors.Is(err, publisher.ErrMoved) {
		t.Errorf("a check of what was left: %v", err)
	}
	r = governed(t, cluster)
	way.Redirect(hostOf(r.NATSURL()))
	sidecars = append(sidecars, way.follow())
	r.wantCurrent(sidecars...)
	for _, m := range sidecars {
		if m.store.Position() != epoch || m.store.StateDigest() != digest {
			t.Errorf("a sidecar is at %v with %s, it was at %v with %s", m.store.Position(), m.store.StateDigest(), epoch, digest)
		}
	}
	if now := r.flags(); !maps.Equal(now, before) {
		t.Errorf("%d flags, %d were there", len(now), len(before))
	}
	r.verifyBusy(last)
	r.export()
	r.agreeAndApply(r.propose("on-the-cluster", ""))
	r.wantCurrent(sidecars...)

	back := houseWith(t, house.KeysDir)
	if _, err := publisher.Move(t.Context(), cluster, back); !errors.Is(err, backup.ErrBusy) {
		t.Fatalf("moved from under a publisher: %v", err)
	}
	r.stop()
	if _, err := publisher.Move(t.Context(), cluster, back); err != nil {
		t.Fatal(err)
	}
	r = governed(t, back)
	way.Redirect(hostOf(r.NATSURL()))
	sidecars = append(sidecars, way.follow())
	r.wantCurrent(sidecars...)
	r.agreeAndApply(r.propose("at-home", ""))
	r.wantCurrent(sidecars...)
	r.verifyBusy(last)
	for _, m := range sidecars {
		if m.store.Position().Epoch != epoch.Epoch || m.body("on-the-cluster") == "" || m.body("at-home") == "" {
			t.Error("a sidecar is in another epoch, or lacks a flag")
		}
	}
	r.export()
}

// houseWith is house with a directory of keys.
func houseWith(t testing.TB, keysDir string) publisher.Options {
	t.Helper()
	o := house(t)
	o.KeysDir = keysDir
	return o
}

// verifyBusy compares the flag that was changed all the time with the change that was acknowledged last.
func (r *running) verifyBusy(last int) {
	r.t.Helper()
	body, _, err := r.client.Document(r.t.Context(), "staging", flagID("busy"))
	if err != nil || string(body) != string(numbered(last)) {
		r.t.Errorf("%s, %v; want change %d", body, err, last)
	}
}

// A publisher that runs, what was moved elsewhere before and a place that is in use are refused, and nothing is touched.
func TestMoveIsRefused(t *testing.T) {
	t.Parallel()
	from := house(t)
	r := governed(t, from)
	r.create("prod")
	empty := publisher.Options{NATS: natstest.Start(t).URL(), KeysDir: from.KeysDir}
	if _, err := publisher.Move(t.Context(), from, empty); err == nil || !strings.Contains(err.Error(), "stop the publisher first") {
		t.Errorf("while it runs: %v", err)
	}
	r.stop()
	used := publisher.Options{NATS: natstest.Start(t).URL(), KeysDir: from.KeysDir}
	governed(t, used).create("prod")
	if _, err := publisher.Move(t.Context(), from, used); !errors.Is(err, publisher.ErrNotEmpty) {
		t.Errorf("to a place in use: %v", err)
	}
	if exists(filepath.Join(from.DataDir, "moved")) {
		t.Error("it counts as moved")
	}
	if _, err := publisher.Move(t.Context(), from, empty); err != nil {
		t.Fatal(err)
	}
	if _, err := publisher.Move(t.Context(), from, publisher.Options{NATS: "nats://127.0.0.1:1", KeysDir: from.KeysDir}); !errors.Is(err, publisher.ErrMoved) {
		t.Errorf("to two places: %v", err)
	}
	if _, err := publisher.Move(t.Context(), publisher.Options{DataDir: t.TempDir()}, empty); err == nil {
		t.Error("from nothing: no error")
	}
}

// A move that is killed at any moment leaves what no publisher uses, and a second one completes.
func TestMoveThatIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: kills processes, which go test without it does")
	}
	t.Parallel()
	from := house(t)
	r := governed(t, from)
	r.busy()()
	before := r.flags()
	r.stop()
	to := publisher.Options{NATS: natstest.Start(t).URL(), KeysDir: from.KeysDir}
	killUntilDone(t, task{What: "move", Source: placeOf(from), Target: placeOf(to)}, func() {})
	r = governed(t, to)
	if now := r.flags(); !maps.Equal(now, before) {
		t.Errorf("on a server: %d flags, %d were there", len(now), len(before))
	}
	r.stop()
	back := house(t)
	if err := os.RemoveAll(from.DataDir); err != nil {
		t.Fatal(err)
	}
	if _, err := publisher.Move(t.Context(), to, back); err != nil {
		t.Fatal(err)
	}
	r = governed(t, back)
	if now := r.flags(); !maps.Equal(now, before) {
		t.Errorf("at home: %d flags, %d were there", len(now), len(before))
	}
	r.export()
}
