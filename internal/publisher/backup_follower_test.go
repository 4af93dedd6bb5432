package publisher_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// house is a data directory of the installation of tests, whose server lets in the sidecars of tests.
func house(t testing.TB) publisher.Options {
	t.Helper()
	o := publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)}
	if err := natsserver.WriteUsers(filepath.Join(o.DataDir, publisher.NATSUsersFile), natstest.Users(t)); err != nil {
		t.Fatal(err)
	}
	return o
}

// mover is a sidecar of prod that goes on while what it follows is moved.
type mover struct {
	store    *cache.Store
	follower *follow.Follower
	emptied  atomic.Bool
}

// road is where sidecars connect to, which may lead elsewhere later.
type road struct {
	*faultnet.Proxy

	t testing.TB
}

func newRoad(t testing.TB, to *running) road {
	t.Helper()
	return road{faultnet.Start(t, hostOf(to.NATSURL())), t}
}

func hostOf(url string) string {
	first, _, _ := strings.Cut(url, ",")
	return strings.TrimPrefix(first, "nats://")
}

// follow starts a sidecar.
func (r road) follow() *mover {
	r.t.Helper()
	keyring := trusttest.Default().Keyring()
	conn, err := flagsync.Connect(r.t.Context(), flagsync.ConnectOptions{
		URL: "nats://" + r.Addr(), Environment: "prod", NKey: natstest.SidecarKey(r.t), InboxPrefix: "_SC.prod." + rand.Text(),
		Keyring: keyring, Logger: zerolog.Nop(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	m := &mover{}
	if m.store, err = cache.New(cache.Options{Environment: "prod", Keyring: keyring, Logger: zerolog.Nop()}); err != nil {
		r.t.Fatal(err)
	}
	if m.follower, err = follow.New(conn, m.store, follow.Options{Environment: "prod", Logger: zerolog.Nop()}); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, watched := make(chan error, 1), make(chan struct{})
	go func() { ended <- m.follower.Run(ctx) }()
	go func() {
		defer close(watched)
		m.watch(ctx)
	}()
	r.t.Cleanup(func() {
		cancel()
		<-watched
		if err := <-ended; err != nil {
			r.t.Errorf("a follower ended with %v", err)
		}
		conn.Close()
		_ = m.store.Close() // it has no directory
	})
	return m
}

// watch notes that it serves fewer flags than before: none is ever removed in these tests.
func (m *mover) watch(ctx context.Context) {
	for most := 0; ; {
		changed := m.store.Changed()
		if view := m.store.View(); view != nil {
			if n := view.Rules().Len(); n == 0 && most > 0 {
				m.emptied.Store(true)
			} else {
				most = max(most, n)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// wantCurrent waits until sidecars have exactly what a publisher has, and fails if one was ever empty.
func (r *running) wantCurrent(all ...*mover) {
	r.t.Helper()
	for _, m := range all {
		r.await("a sidecar to be current", func() bool {
			s := m.follower.Status()
			view := m.store.View()
			return view != nil && s.Synced && s.Applied.Revision == r.newest() && s.DifferentHistory == nil && s.Hole == nil && s.DifferentState == nil
		})
		if m.emptied.Load() {
			r.t.Error("a sidecar was empty")
		}
	}
}

// body returns what the sidecar serves of a flag, "" if it has none.
func (m *mover) body(key string) string {
	d, _ := m.store.View().Document(flagID(key))
	return string(d.Body)
}
