package flagsync_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// sidecarPermissions are those of a sidecar in the terms of the server.
func sidecarPermissions(environment, inbox string) *server.Permissions {
	return serverPermissions(flagsync.SidecarPermissions(environment, inbox, ""))
}

func serverPermissions(p flagsync.Permissions) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: p.Publish},
		Subscribe: &server.SubjectPermission{Allow: p.Subscribe},
	}
}

// blindPermissions let a follower read, and not ask the leader.
func blindPermissions(environment, inbox string) *server.Permissions {
	p := sidecarPermissions(environment, inbox)
	p.Publish.Allow = p.Publish.Allow[:3]
	return p
}

// startWithUsers runs a server that knows a publisher, and a sidecar of prod.
func startWithUsers(tb testing.TB) *server.Server {
	tb.Helper()
	return startServer(tb, &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: tb.TempDir(), MaxPayload: 64 * 1024,
		Users: []*server.User{
			{Username: "publisher", Password: "p", Permissions: serverPermissions(flagsync.PublisherPermissions("", environment, "other"))},
			{Username: "sidecar", Password: "s", Permissions: sidecarPermissions(environment, "_sidecar1")},
			{Username: "blind", Password: "b", Permissions: blindPermissions(environment, "_blind")},
		},
	})
}

func startServer(tb testing.TB, o *server.Options) *server.Server {
	tb.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		tb.Fatal("the server does not start")
	}
	return s
}

func connectAs(tb testing.TB, s *server.Server, user, inbox string) *flagsync.Conn {
	tb.Helper()
	o := flagsync.ConnectOptions{
		URL: "nats://" + user + "@" + s.Addr().String(), InboxPrefix: inbox, Logger: testLogger, Keyring: trusttest.Default().Keyring(),
	}
	if strings.HasPrefix(user, "publisher") {
		o.Keyring, o.Signer = trusttest.Default().PublisherKeyring(), trusttest.Default().Signer()
	}
	c, err := flagsync.Connect(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// logAs creates the environment and opens its log as a user.
func logAs(tb testing.TB, s *server.Server, user string) *log {
	tb.Helper()
	c := connectAs(tb, s, user, "")
	environments, err := flagsync.OpenEnvironments(tb.Context(), c, 1)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := environments.Create(tb.Context(), environment, "tester"); err != nil {
		tb.Fatal(err)
	}
	own, err := flagsync.OpenLog(tb.Context(), c, flagsync.LogOptions{Environment: environment, Replicas: 1})
	if err != nil {
		tb.Fatal(err)
	}
	return &log{conn: c, Log: own}
}

func clientAs(tb testing.TB, s *server.Server, user, password string) *nats.Conn {
	tb.Helper()
	c, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, password))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// TestSidecarPermissions follows with nothing but the documented permissions:
// log, feed, beats, barrier, and questions to the leader. Nothing may be
// refused, and another environment stays closed.
func TestSidecarPermissions(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t)
	l := logAs(t, s, "publisher:p")
	environments, err := flagsync.OpenEnvironments(t.Context(), l.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "other", "tester"); err != nil {
		t.Fatal(err)
	}
	l.write(t, put("a", "{}"))

	sidecar := connectAs(t, s, "sidecar:s", "_sidecar1")
	r := follow(t, sidecar, impatient)
	r.until(t, "synced", isSynced)
	run(t, flagsync.NewBeater(l.Log, testLogger).Run)
	r.until(t, "a beat", func(s flagsync.Status) bool { return !s.LastBeat.IsZero() })
	head := l.write(t, put("b", "{}"))
	r.reach(t, head.Revision)
	r.barrier(t)
	stranger := head
	stranger.Digest[0]++
	c := clientAs(t, s, "publisher", "p")
	l.publishRaw(t, c, entry(stranger, "stranger", "b", 1, 1))
	r.until(t, "the leader to be asked", func(s flagsync.Status) bool { return s.Foreign.Messages == 1 })
	if err := sidecar.LastError(); err != nil {
		t.Errorf("something was refused: %v", err)
	}

	f, err := flagsync.NewFollower(sidecar, newMapTarget(t), flagsync.FollowerOptions{Environment: "other", Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	run(t, f.Run)
	other := &running{Follower: f}
	status := other.until(t, "a refusal", func(s flagsync.Status) bool { return s.LastError != nil && sidecar.LastError() != nil })
	if status.Applied.Revision != 0 || status.Synced {
		t.Errorf("a sidecar of %s follows another environment: %+v", environment, status)
	}
	if time.Since(status.LastConfirmed) < time.Hour {
		t.Error("what may not be read was confirmed")
	}
}

// TestMessageTooLargeForTheServer is refused at once, and nothing is written.
func TestMessageTooLargeForTheServer(t *testing.T) {
	t.Parallel()
	l := logAs(t, startWithUsers(t), "publisher:p")
	base := l.head(t)
	large := put("large", `"`+strings.Repeat("x", 100*1024)+`"`)
	for name, documents := range map[string][]changelog.Document{
		"alone": {large}, "first": {large, put("a", "{}")}, "between": {put("a", "{}"), large, put("b", "{}")}, "last": {put("a", "{}"), large},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		outcome, err := l.append(t, ctx, base, change("op "+name, documents...))
		cancel()
		if err == nil || !strings.Contains(err.Error(), "max_payload") {
			t.Errorf("%s: %s, %v, want an error that names max_payload", name, outcome.State, err)
		}
	}
	if head := l.head(t); head != base {
		t.Errorf("head %+v, want nothing written after %+v", head, base)
	}
	l.write(t, put("a", "{}"), put("b", "{}"))
}

// TestStandstillIsAHole reads a log that lacks its beginning and cannot ask the
// leader about it.
func TestStandstillIsAHole(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t)
	l := logAs(t, s, "publisher:p")
	for range 3 {
		l.write(t, put("a", "{}"))
	}
	c := clientAs(t, s, "publisher", "p")
	changed := config(t, c, "FLAGS_prod")
	changed["max_msgs"] = 1
	if answer := api(t, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	r := follow(t, connectAs(t, s, "blind:b", "_blind"), impatient, func(t *flagsync.Timing) { t.Standstill = time.Second })
	status := r.until(t, "a hole", func(s flagsync.Status) bool { return s.Hole != nil })
	if status.Synced || status.AgeKnown || r.target.count() != 0 {
		t.Errorf("beyond a hole: %+v", status)
	}
}
