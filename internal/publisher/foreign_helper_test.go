package publisher_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// hostile are messages that anyone can make who knows nothing, with what only the server may say in their headers.
func hostile() []natstest.Message {
	junk := natstest.Message{Data: []byte("\x00\xff{junk")}
	return []natstest.Message{
		{},
		junk,
		{Data: []byte("{}")},
		{Data: []byte(`{"v":2}`)},
		{Data: []byte(`{"v":3}`)},
		junk.With("Nats-Sequence", "1"), junk.With("Status", "404"), junk.With("Status", "204"), junk.With("Nats-Last-Sequence", "0"),
		junk.With("Nats-Subject", "flags.other.x").With("Nats-Time-Stamp", "2001-01-01T00:00:00Z"),
		junk.With("Nats-Sequence", "18446744073709551615").With("Nats-Num-Pending", "0"),
		junk.With(changelog.ProofHeader, "x"), junk.With(changelog.ProofHeader, "").With(changelog.ProofHeader, ""),
	}
}

// places returns a subject of each stream that an attacker of an environment can write to.
func places(environment string) []string {
	return []string{
		"flags." + environment + "." + changelog.Subject(flagID("f")), "flags." + environment + ".x", "ledger." + environment + ".records",
		"ledger." + environment + ".x", "control.records", "control.x", "snap." + environment + ".manifest", "people.x",
	}
}

// pollute stores hostile messages of all kinds in every stream.
func pollute(t testing.TB, server *natstest.Server, environment string) {
	t.Helper()
	c := server.Client(t)
	for _, subject := range places(environment) {
		for _, m := range hostile() {
			m.Subject = subject
			natstest.Store(t, c, m)
		}
	}
}

// reader follows an environment as a sidecar does, with its credentials and nothing but the root key to trust.
type reader struct {
	t        testing.TB
	store    *cache.Store
	follower *follow.Follower
	stop     func()
}

// read starts a reader, which ends with the test.
func read(t testing.TB, server *natstest.Server, environment string) *reader {
	t.Helper()
	keyring := trusttest.Default().Keyring()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: server.URL(), Environment: environment, NKey: natstest.SidecarKey(t), InboxPrefix: "_SC." + environment + "." + rand.Text(),
		Keyring: keyring, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := cache.New(cache.Options{Environment: environment, Keyring: keyring, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	follower, err := follow.New(conn, store, follow.Options{Environment: environment, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- follower.Run(ctx) }()
	r := &reader{t: t, store: store, follower: follower}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("a follower ended with %v", err)
		}
		conn.Close()
		_ = store.Close() // it has no directory
	})
	t.Cleanup(r.stop)
	return r
}

// body returns what the reader serves of a flag, "" if it has none.
func (r *reader) body(key string) string {
	view := r.store.View()
	if view == nil {
		return ""
	}
	d, _ := view.Document(flagID(key))
	return string(d.Body)
}

// numbered is a flag that can be told from all others.
func numbered(n int) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","metadata":{"n":%d}}`, n)
}
