package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

const (
	smallDisk = 6 << 20
	// refusedWithin is how long a write that meets a full disk may take on a busy machine: before, it took the whole 15 s of a change.
	refusedWithin = 8 * time.Second
)

// onSmallDisk runs a publisher over a disk of its own, with a flag in prod that a sidecar follows.
func onSmallDisk(t *testing.T) (r *running, disk *faultdisk.Disk, o publisher.Options, sidecar *cache.Store) {
	t.Helper()
	disk = faultdisk.StartForJetStream(t, smallDisk)
	o = publisher.Options{DataDir: disk.Dir(), KeysDir: trusttest.Default().Directory(t)}
	r = start(t, o)
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	return r, disk, o, followed(t, r)
}

// followed returns what a sidecar of prod knows.
func followed(t testing.TB, r *running) *cache.Store {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: r.NATSURL(), User: "prod", Environment: "prod", InboxPrefix: "_SC.prod.disk", Keyring: trusttest.Default().Keyring(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := cache.New(cache.Options{Environment: "prod", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	follower, err := follow.New(conn, store, follow.Options{Environment: "prod", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = follower.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		conn.Close()
		_ = store.Close()
	})
	r.await("the state of a sidecar", func() bool { return store.View() != nil && store.View().Rules().Len() > 0 })
	return store
}

// long is text that takes more than a page of a disk.
var long = strings.Repeat("y", 9000)

// writes are what is written to each stream, by number.
func (r *running) writes() map[string]func(n int) error {
	return map[string]func(n int) error{
		"FLAGS": func(n int) error {
			_, _, err := r.client.Put(r.t.Context(), "prod", flagID(fmt.Sprint("n", n)), flagBody("on", `,"metadata":{"x":"`+long+`"}`), absent(), api.ChangeHeaders{})
			return err
		},
		"LEDGER": func(n int) error {
			_, err := r.client.OpenRequest(r.t.Context(), "prod", api.NewRequest{Reason: "it is time", Command: api.Command{
				Type: "put", Key: fmt.Sprint("requested", n), IfAbsent: true, Document: flagBody("off", `,"metadata":{"x":"`+long+`"}`),
			}}, api.ChangeHeaders{})
			return err
		},
		"CONTROL": func(n int) error {
			_, err := r.client.CreateToken(r.t.Context(), api.NewToken{Name: fmt.Sprint("n", n), Groups: []string{"flagside:viewer"}}, api.AdministrationHeaders{})
			return err
		},
	}
}

// A write that meets a full disk fails soon and says so, and so does every one after it at once; what is known is served, and when there
// is space everything goes on in the same process.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"FLAGS", "LEDGER", "CONTROL"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			r, disk, o, sidecar := onSmallDisk(t)
			disk.Fill(t, 0)
			written := r.fillWith(r.writes()[stream])
			r.wantDiskFull(disk)
			for name, write := range r.writes() {
				begin := time.Now()
				err := write(5000)
				if problem, ok := errors.AsType[*client.Error](err); !ok || !strings.HasSuffix(problem.Type, ":disk-full") || !strings.Contains(problem.Detail, disk.Dir()) {
					t.Errorf("a write to %s on a full disk: %v", name, err)
				}
				if took := time.Since(begin); took > refusedWithin/2 {
					t.Errorf("a write to %s on a full disk took %s", name, took)
				}
			}
			if sidecar.View().Rules().Len() == 0 {
				t.Error("a sidecar has lost its flags")
			}
			for _, path := range []string{flags + "/f", "/api/v1/environments/prod/requests", flags + "/f/history"} {
				if a := r.ask(http.MethodGet, path, ""); a.status != http.StatusOK {
					t.Errorf("GET %s on a full disk: %d %s", path, a.status, a.body)
				}
			}

			disk.Free(t)
			r.await("the end of the condition", func() bool { return !strings.Contains(r.ask(http.MethodGet, "/status", "").body, "disk-full") })
			for name, write := range r.writes() {
				if err := write(6000); err != nil {
					t.Errorf("a write to %s with space again: %v", name, err)
				}
			}
			r.await("the sidecar to hear of changes again", func() bool { return sidecar.View().Position().Revision == r.newest() })
			if text := r.ask(http.MethodGet, "/metrics", "").body; !strings.Contains(text, "\nflagside_jetstream_restarts_total 1\n") || !strings.Contains(text, "\nflagside_disk_full 0\n") {
				t.Error("the metrics do not tell of one restart")
			}
			r.stop()
			again := start(t, o)
			again.wantWritten(stream, written)
		})
	}
}

// fillWith writes until the disk is full, and returns how many writes were acknowledged.
func (r *running) fillWith(write func(n int) error) (written int) {
	r.t.Helper()
	for n := range 200 {
		begin := time.Now()
		err := write(n)
		if err == nil {
			written++
			continue
		}
		if !strings.Contains(err.Error(), "the disk of the streams is full") {
			r.t.Errorf("the write that met a full disk says: %v", err)
		}
		if took := time.Since(begin); took > refusedWithin {
			r.t.Errorf("the write that met a full disk took %s", took)
		}
		return written
	}
	r.t.Fatal("the disk does not become full")
	return 0
}

// wantDiskFull wants everything that tells of health to name the disk.
func (r *running) wantDiskFull(disk *faultdisk.Disk) {
	r.t.Helper()
	r.await("the condition", func() bool {
		body := r.ask(http.MethodGet, "/status", "").body
		return strings.Contains(body, `"disk-full"`) && strings.Contains(body, disk.Dir()) && strings.Contains(body, "writesRefused")
	})
	if a := r.ask(http.MethodGet, "/readyz", ""); a.status != http.StatusOK || !strings.Contains(a.body, "disk") {
		r.t.Errorf("/readyz on a full disk: %d %s", a.status, a.body)
	}
	text := r.ask(http.MethodGet, "/metrics", "").body
	for _, line := range []string{"\nflagside_disk_full 1\n", "\nflagside_disk_free_ratio 0", "\nflagside_environment_writable{environment=\"prod\"} 0\n"} {
		if !strings.Contains(text, line) {
			r.t.Errorf("the metrics lack %q", line)
		}
	}
}

// newest returns the newest revision of prod.
func (r *running) newest() uint64 {
	r.t.Helper()
	_, state := r.current()
	return state.Position().Revision
}

// current returns what changes prod, and how it is now.
func (r *running) current() (*control.Service, decide.State) {
	r.t.Helper()
	service, err := r.Control(r.t.Context(), "prod")
	if err != nil {
		r.t.Fatal(err)
	}
	state, err := service.Current(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return service, state
}

// wantWritten wants what was acknowledged of the writes to a stream, from number 0 on.
func (r *running) wantWritten(stream string, written int) {
	r.t.Helper()
	switch stream {
	case "FLAGS":
		for n := range written {
			if a := r.ask(http.MethodGet, fmt.Sprint(flags, "/n", n), ""); a.status != http.StatusOK {
				r.t.Errorf("flag n%d was acknowledged: %d %s", n, a.status, a.body)
			}
		}
	case "LEDGER":
		a := r.ask(http.MethodGet, "/api/v1/environments/prod/requests?limit=100", "")
		if found := strings.Count(a.body, `"status":"open"`); found < written+1 {
			r.t.Errorf("%d change requests were acknowledged, %d are there", written+1, found)
		}
	default:
		all, err := r.client.Tokens(r.t.Context())
		if err != nil || len(all.Items) < written+1 {
			r.t.Errorf("%d tokens were acknowledged, %d are there, %v", written+1, len(all.Items), err)
		}
	}
}

// A volume of which little is free is warned about by its share, and works.
func TestNearlyFullDisk(t *testing.T) {
	t.Parallel()
	r, disk, _, _ := onSmallDisk(t)
	if strings.Contains(r.ask(http.MethodGet, "/status", "").body, "disk-nearly-full") {
		t.Error("a small volume is warned about although it is free")
	}
	disk.Fill(t, smallDisk/20)
	r.await("the warning", func() bool {
		body := r.ask(http.MethodGet, "/status", "").body
		return strings.Contains(body, "disk-nearly-full") && strings.Contains(body, disk.Dir())
	})
	r.put("prod", "g", flagBody("on", ""), client.Precondition{Absent: true})
	disk.Free(t)
	r.await("the end of the warning", func() bool { return !strings.Contains(r.ask(http.MethodGet, "/status", "").body, "disk-nearly-full") })
}

// An environment whose streams cannot be made on a full disk is refused with the cause, and can be created once there is space.
func TestCreateOnAFullDisk(t *testing.T) {
	t.Parallel()
	r, disk, _, _ := onSmallDisk(t)
	disk.Fill(t, 0)
	_, err := r.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "other"}, api.AdministrationHeaders{})
	if problem, ok := errors.AsType[*client.Error](err); !ok || !strings.HasSuffix(problem.Type, ":disk-full") || !strings.Contains(problem.Detail, disk.Dir()) {
		t.Errorf("an environment on a full disk: %v", err)
	}
	disk.Free(t)
	r.await("the environment", func() bool {
		_, err := r.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "other"}, api.AdministrationHeaders{})
		return err == nil
	})
}

// A full disk tears the first transaction of a new environment at any page of it, and what is stored aside before it: JetStream then counts
// a message and has none, also after a restart. The environment can be created all the same once there is space, and what is acknowledged stays.
func TestATornFirstEntry(t *testing.T) {
	t.Parallel()
	for pages := int64(5); pages <= 10; pages++ {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprint(pages, " pages, restarts: ", restarts), func(t *testing.T) {
				t.Parallel()
				disk := faultdisk.StartForJetStream(t, smallDisk)
				o := publisher.Options{DataDir: disk.Dir(), KeysDir: trusttest.Default().Directory(t)}
				o.UsageBytes = -1 // whose streams would take some of the pages
				r := start(t, o)
				r.create("other")
				disk.Fill(t, pages*4096)
				r.createOnFull("prod")
				if restarts {
					r.stop()
				}
				disk.Free(t)
				if restarts {
					r = start(t, o)
				}
				r.createdAfterAll("prod")
				t.Log("messages that were torn: ", r.newest()-2)
				r.wantWhole(o)
			})
		}
	}
}

// createOnFull tries to create an environment where the disk has little or no room for it.
func (r *running) createOnFull(name string) {
	r.t.Helper()
	begin := time.Now()
	_, err := r.client.CreateEnvironment(r.t.Context(), api.NewEnvironment{Name: name}, api.AdministrationHeaders{})
	if took := time.Since(begin); took > refusedWithin {
		r.t.Errorf("it took %s: %v", took, err)
	}
	if err != nil && !strings.Contains(err.Error(), "the disk of the streams is full") {
		r.t.Errorf("it says: %v", err)
	}
}

// createdAfterAll creates an environment, again until it is there.
func (r *running) createdAfterAll(name string) {
	r.t.Helper()
	r.await("the environment", func() bool {
		_, err := r.client.CreateEnvironment(r.t.Context(), api.NewEnvironment{Name: name}, api.AdministrationHeaders{})
		return err == nil || strings.Contains(err.Error(), "exists")
	})
}

// wantWhole writes to each stream of prod, and wants everything there after a restart, and no condition about a stream.
func (r *running) wantWhole(o publisher.Options) {
	r.t.Helper()
	r.await("the end of the condition", func() bool { return !strings.Contains(r.ask(http.MethodGet, "/status", "").body, "disk-full") })
	r.putOnceThereIsSpace("prod", "f")
	followed(r.t, r)
	for name, write := range r.writes() {
		if err := write(0); err != nil {
			r.t.Errorf("a write to %s: %v", name, err)
		}
	}
	r.stop()
	again := start(r.t, o)
	again.CheckStreams(r.t.Context())
	if body := again.ask(http.MethodGet, "/status", "").body; strings.Contains(body, "critical") || strings.Contains(body, "writesRefused") {
		r.t.Errorf("the environment is not whole: %s", body)
	}
	again.wantWritten("FLAGS", 1)
	for _, stream := range []string{"LEDGER", "CONTROL"} {
		again.wantWritten(stream, 0) // and one more, which this is about
	}
}

// putOnceThereIsSpace writes a flag. What was written in the background while the disk was full may be known to writers before it is a condition,
// so that they refuse a moment longer; nothing is written by a refusal.
func (r *running) putOnceThereIsSpace(environment, key string) {
	r.t.Helper()
	r.await("writes are taken", func() bool {
		_, _, err := r.client.Put(r.t.Context(), environment, flagID(key), flagBody("on", ""), absent(), api.ChangeHeaders{})
		if err != nil && !strings.Contains(err.Error(), "the disk of the streams is full") {
			r.t.Fatalf("put %s: %v", key, err)
		}
		return err == nil
	})
}

// A full disk tears the first record of a ledger, or makes it impossible to begin. Change requests go on once there is space.
func TestATornFirstRecord(t *testing.T) {
	t.Parallel()
	for pages := range int64(2) {
		t.Run(fmt.Sprint(pages, " pages"), func(t *testing.T) {
			t.Parallel()
			r, disk, o, _ := onSmallDisk(t)
			propose := r.writes()["LEDGER"]
			disk.Fill(t, pages*4096)
			if err := propose(1); err == nil || !strings.Contains(err.Error(), "the disk of the streams is full") {
				t.Errorf("a change request of more than two pages: %v", err)
			}
			r.stop()
			disk.Free(t)
			r = start(t, o)
			r.awaitProposed(2)
			r.wantWritten("LEDGER", 0)
		})
	}
}

// awaitProposed opens a change request, again until that is possible.
func (r *running) awaitProposed(n int) {
	r.t.Helper()
	var err error
	r.await("a change request", func() bool {
		err = r.writes()["LEDGER"](n)
		return err == nil
	})
}
