package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// isRefused waits until the server has answered to what was just sent, and
// reports whether it refused the subject.
func isRefused(t *testing.T, c *nats.Conn, subject string) bool {
	t.Helper()
	if err := c.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	err := c.LastError()
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(`"`+subject+`"`))
}

// apiCalls are calls of the JetStream API, with the name of a stream in them.
func apiCalls(stream string) []string {
	return []string{
		"STREAM.CREATE." + stream, "STREAM.UPDATE." + stream, "STREAM.DELETE." + stream, "STREAM.PURGE." + stream,
		"STREAM.RESTORE." + stream, "STREAM.SNAPSHOT." + stream, "STREAM.MSG.DELETE." + stream, "STREAM.MSG.GET." + stream,
		"STREAM.INFO." + stream, "STREAM.LEADER.STEPDOWN." + stream, "STREAM.PEER.REMOVE." + stream,
		"DIRECT.GET." + stream, "DIRECT.GET." + stream + ".a.b", "CONSUMER.CREATE." + stream, "CONSUMER.CREATE." + stream + ".c",
		"CONSUMER.CREATE." + stream + ".c.flags.>", "CONSUMER.DURABLE.CREATE." + stream + ".c", "CONSUMER.MSG.NEXT." + stream + ".c",
		"CONSUMER.DELETE." + stream + ".c", "CONSUMER.LIST." + stream, "CONSUMER.INFO." + stream + ".c",
	}
}

// TestSidecarReachesNothingElse tries everything that a sidecar must not reach,
// with the credentials of one.
func TestSidecarReachesNothingElse(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t)
	logAs(t, s, "publisher:p")
	c := clientAs(t, s, "sidecar", "s")
	allowed := map[string]bool{
		"STREAM.INFO.FLAGS_prod": true, "STREAM.MSG.GET.FLAGS_prod": true, "DIRECT.GET.FLAGS_prod": true, "DIRECT.GET.FLAGS_prod.a.b": true,
		"DIRECT.GET.SNAP_prod.a.b": true,
	}
	subjects := []string{
		"flags.prod.x", "flags.other.x", "feed.prod.x", "feed.other.x", "heartbeat.prod", "heartbeat.other", "snap.prod.x", "snap.other.x",
		"ledger.prod.records", "control.records", "people.x", "ask.prod.x", "x", "_INBOX.x", "_sidecar2.x", "_sidecar1.x",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.ACCOUNT.PURGE.$G",
		"$JS.ACK.FLAGS_prod.c.1.1.1.1.1", "$JS.FC.FLAGS_prod.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.$G.CONNZ", "$SRV.PING",
	}
	for _, stream := range []string{"FLAGS_prod", "FLAGS_other", "SNAP_prod", "SNAP_other", "LEDGER_prod", "LEDGER_other", "CONTROL", "PEOPLE"} {
		for _, call := range apiCalls(stream) {
			subjects = append(subjects, "$JS.API."+call)
			if !allowed[call] {
				subjects = append(subjects, "flagside.api."+call)
			}
		}
	}
	for _, subject := range subjects {
		if err := c.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if !isRefused(t, c, subject) {
			t.Errorf("a sidecar may publish on %s", subject)
		}
	}
	for _, subject := range []string{
		">", "*", "*.>", "feed.>", "feed.*.>", "feed.other.>", "heartbeat.>", "heartbeat.*", "heartbeat.other", "ask.>", "ask.other.x", "journal.>", "status.prod.x", "flags.>", "flags.prod.>", "snap.prod.>",
		"ledger.>", "ledger.prod.>", "control.>", "_INBOX.>", "_sidecar2.>", "_blind.>", "$JS.>", "$JS.EVENT.ADVISORY.>", "$SYS.>",
	} {
		if _, err := c.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if !isRefused(t, c, subject) {
			t.Errorf("a sidecar may subscribe to %s", subject)
		}
	}
}

// TestPublisherCannotDestroy tries what a running publisher never needs.
func TestPublisherCannotDestroy(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t)
	logAs(t, s, "publisher:p")
	c := clientAs(t, s, "publisher", "p")
	subjects := []string{
		"feed.prod.x", "feed.other.x", "feed.x", "journal.ledger.prod.records", "journal.control.records", "status.prod.x", "usage.prod.x",
		"flagside.api.STREAM.CREATE.FLAGS_third", "flagside.api.STREAM.PURGE.SNAP_third", "flagside.api.STREAM.MSG.DELETE.SNAP_prod",
		"$JS.API.STREAM.CREATE.CONTROL", "$JS.API.STREAM.INFO.CONTROL", "$JS.API.STREAM.CREATE.PEOPLE",
	}
	for _, stream := range []string{"FLAGS_prod", "LEDGER_prod", "CONTROL"} {
		for _, call := range []string{"DELETE", "PURGE", "RESTORE", "MSG.DELETE", "PEER.REMOVE", "UPDATE"} {
			subjects = append(subjects, "flagside.api.STREAM."+call+"."+stream)
		}
	}
	for _, stream := range []string{"SNAP_prod", "PEOPLE"} {
		for _, call := range []string{"DELETE", "RESTORE", "UPDATE"} {
			subjects = append(subjects, "flagside.api.STREAM."+call+"."+stream)
		}
	}
	for _, subject := range subjects {
		if err := c.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if !isRefused(t, c, subject) {
			t.Errorf("a publisher may publish on %s", subject)
		}
	}
}

// TestCheck names what is missing.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t)
	logAs(t, s, "publisher:p")
	check := func(user, inbox, domain, environment string) error {
		return follow.Check(t.Context(), flagsync.ConnectOptions{
			Keyring: trusttest.Default().Keyring(), URL: "nats://" + user + "@" + s.Addr().String(), InboxPrefix: inbox, Domain: domain, Logger: testLogger,
		}, environment)
	}
	if err := check("sidecar:s", "_sidecar1", "", "prod"); err != nil {
		t.Error(err)
	}
	if err := check("sidecar:s", "_sidecar1", "leaf", "prod"); err != nil {
		t.Errorf("a domain, which accounts do without: %v", err)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no barrier":          {check("mute:m", "_mute", "", "prod"), "$JS.API.STREAM.INFO.FLAGS_prod"},
		"another environment": {check("sidecar:s", "_sidecar1", "", "other"), "feed.other.>"},
		"another inbox":       {check("sidecar:s", "_sidecar2", "", "prod"), "_sidecar2."},
		"unknown environment": {check("publisher:p", "", "", "none"), "unknown environment"},
	} {
		if c.err == nil || !strings.Contains(strings.ToLower(c.err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := follow.Check(ctx, flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "nats://wrong:w@" + s.Addr().String(), Logger: testLogger}, "prod")
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), "authorization") {
		t.Errorf("wrong credentials: %v", err)
	}
	open := startServer(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	err = follow.Check(t.Context(), flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: open.ClientURL(), Domain: "leaf", Logger: testLogger}, "prod")
	if err == nil || !strings.Contains(err.Error(), `JetStream domain "leaf"`) {
		t.Errorf("wrong domain: %v", err)
	}
}

// TestNKeyIsReadAgain replaces the seed of one user by that of another while the
// connection is away.
func TestNKeyIsReadAgain(t *testing.T) {
	t.Parallel()
	first, second := newIdentity(t, nkeys.CreateUser), newIdentity(t, nkeys.CreateUser)
	options := func(known identity) *server.Options {
		return &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, Nkeys: []*server.NkeyUser{{Nkey: known.public}}}
	}
	file := filepath.Join(t.TempDir(), "user.nk")
	write := func(user identity) {
		t.Helper()
		seed, err := user.Seed()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, seed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	s := startServer(t, options(first))
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: s.ClientURL(), NKey: file, Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	awaitConnected(t, c, true)
	write(second)
	if err := s.ReloadOptions(options(second)); err != nil { // cuts off who is no user any more
		t.Fatal(err)
	}
	awaitConnected(t, c, false)
	awaitConnected(t, c, true)

	if _, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		Keyring: trusttest.Default().Keyring(), URL: s.ClientURL(), NKey: filepath.Join(t.TempDir(), "none"), Logger: testLogger,
	}); err == nil {
		t.Error("a file that does not exist is no error")
	}
	for _, o := range []flagsync.ConnectOptions{{NKey: file, Credentials: file}, {Certificate: file}, {CA: file + "x"}} {
		o.URL, o.Keyring = s.ClientURL(), trusttest.Default().Keyring()
		if err := o.Validate(); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func awaitConnected(t *testing.T, c *flagsync.Conn, want bool) {
	t.Helper()
	waiting.UntilNil(t, fmt.Sprintf("connected: %t", want), func() error {
		if c.Connected() != want {
			return errors.New(fmt.Sprint("it is the other way round: ", c.LastError()))
		}
		return nil
	})
}
