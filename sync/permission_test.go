package flagsync_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// newUsers returns a publisher of two environments, and a sidecar of prod.
func newUsers(tb testing.TB) []natsserver.User {
	tb.Helper()
	users := []natsserver.User{
		{Name: "publisher", Role: natsserver.RolePublisher, Environments: []string{environment, "other"}},
		{Name: "sidecar", Role: natsserver.RoleSidecar, Environments: []string{environment}, Inbox: "_sidecar1"},
		{Name: "blind", Role: natsserver.RoleSidecar, Environments: []string{environment}, Inbox: "_blind"},
		{Name: "mute", Role: natsserver.RoleSidecar, Environments: []string{environment}, Inbox: "_mute"},
	}
	for i, u := range users {
		made, _, err := natsserver.NewUser(u)
		if err != nil {
			tb.Fatal(err)
		}
		users[i] = made
	}
	return users
}

// startWithUsers runs a server with accounts that knows a publisher, a sidecar of
// prod, one that may not read from the leader, one that may not ask it, and an
// operator. Each is let in with its first letter as password.
func startWithUsers(tb testing.TB, change ...func(*server.Options)) *server.Server {
	tb.Helper()
	users := newUsers(tb)
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: tb.TempDir(), MaxPayload: 64 * 1024,
	}
	config, err := natsserver.ServerConfig(users)
	if err == nil {
		err = o.ProcessConfigString(string(config))
	}
	if err != nil {
		tb.Fatal(err)
	}
	missing := map[string]string{"blind": ".STREAM.MSG.GET.", "mute": ".STREAM.INFO."}
	for _, u := range users {
		configured := o.Nkeys[slices.IndexFunc(o.Nkeys, func(k *server.NkeyUser) bool { return k.Nkey == u.NKey })]
		permissions := *configured.Permissions
		if call, incomplete := missing[u.Name]; incomplete {
			allow := slices.DeleteFunc(slices.Clone(permissions.Publish.Allow), func(s string) bool { return strings.Contains(s, call) })
			permissions.Publish = &server.SubjectPermission{Allow: allow}
		}
		o.Users = append(o.Users, &server.User{Username: u.Name, Password: u.Name[:1], Account: configured.Account, Permissions: &permissions})
	}
	o.Users = append(o.Users, &server.User{
		Username: "operator", Password: "o",
		Account: o.Accounts[slices.IndexFunc(o.Accounts, func(a *server.Account) bool { return a.Name == "FLAGSIDE" })],
	})
	for _, c := range change {
		c(o)
	}
	return startServer(tb, o)
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
	if inbox != "" { // publishers have none of their own
		o.Environment = environment
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
	return logOver(tb, connectAs(tb, s, user, ""))
}

// logOver creates the environment by the connection of a publisher, and returns its log.
func logOver(tb testing.TB, c *flagsync.Conn) *log {
	tb.Helper()
	environments, err := writer.OpenEnvironments(tb.Context(), c, 1)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := environments.Create(tb.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
		tb.Fatal(err)
	}
	own, err := writer.OpenLog(tb.Context(), c, writer.LogOptions{Environment: environment, Replicas: 1})
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
// log, feed, heartbeats, barrier, and questions to the leader. Nothing may be
// refused, and another environment stays closed.
func TestSidecarPermissions(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t)
	l := logAs(t, s, "publisher:p")
	environments, err := writer.OpenEnvironments(t.Context(), l.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "other", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	l.write(t, put("a", "{}"))

	sidecar := connectAs(t, s, "sidecar:s", "_sidecar1")
	r := startFollowing(t, sidecar, impatient)
	r.until(t, "synced", isSynced)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	r.until(t, "a beat", func(s follow.Status) bool { return !s.LastHeartbeat.IsZero() })
	head := l.write(t, put("b", "{}"))
	r.reach(t, head.Revision)
	r.barrier(t)
	foreign := head
	foreign.Digest[0]++
	c := clientAs(t, s, "publisher", "p")
	l.publishRaw(t, c, entry(foreign, "foreign", "b", 1, 1))
	r.until(t, "the leader to be asked", func(s follow.Status) bool { return s.Foreign.Messages == 1 })
	if err := sidecar.LastError(); err != nil {
		t.Errorf("something was refused: %v", err)
	}

	f, err := follow.New(sidecar, newMapTarget(t), follow.Options{Environment: "other", Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	run(t, f.Run)
	other := &running{Follower: f}
	status := other.until(t, "a refusal", func(s follow.Status) bool { return s.LastError != nil && sidecar.LastError() != nil })
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
	for name, documents := range map[string][]document.Document{
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
	c := clientAs(t, s, "operator", "o")
	changed := config(t, c, "FLAGS_prod")
	changed["max_msgs"] = 1
	if answer := api(t, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	r := startFollowing(t, connectAs(t, s, "blind:b", "_blind"), impatient, func(t *tuning.Follower) { t.Standstill = time.Second })
	status := r.until(t, "a hole", func(s follow.Status) bool { return s.Hole != nil })
	if status.Synced || status.AgeKnown || r.target.count() != 0 {
		t.Errorf("beyond a hole: %+v", status)
	}
}
