package flagsync_test

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// followBy follows the log at a URL with the permissions of a sidecar, through changes and barriers.
func followBy(t *testing.T, l *log, address string) {
	t.Helper()
	o := flagsync.ConnectOptions{
		URL: address, InboxPrefix: "_sidecar1", Environment: environment, Keyring: trusttest.Default().Keyring(), Logger: testLogger,
	}
	// A leaf node needs a moment to learn what its hub answers.
	waiting.UntilNil(t, "an environment that can be followed", func() error { return follow.Check(t.Context(), o, environment) })
	c, err := flagsync.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l.write(t, put("before", "{}"))
	r := startFollowing(t, c)
	r.until(t, "synced", isSynced)
	for _, key := range []string{"a", "b", "c"} {
		head := l.write(t, put(key, "{}"))
		r.until(t, "change "+key, func(s follow.Status) bool { return s.Applied == head })
	}
	r.barrier(t)
	if n := r.target.count(); n != 4 {
		t.Errorf("it holds %d documents, want 4", n)
	}
}

// A sidecar follows over a websocket, where only HTTP gets through.
func TestFollowOverAWebsocket(t *testing.T) {
	t.Parallel()
	s := startWithUsers(t, func(o *server.Options) {
		o.Websocket = server.WebsocketOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoTLS: true}
	})
	l := logAs(t, s, "publisher:p")
	address := s.WebsocketURL()
	if !strings.HasPrefix(address, "ws://") {
		t.Fatalf("the server has the address %q", address)
	}
	followBy(t, l, strings.Replace(address, "ws://", "ws://sidecar:s@", 1))
}

// A sidecar follows through a leaf node, such as one of its zone, which logs in with the credentials of a sidecar.
func TestFollowThroughALeafNode(t *testing.T) {
	t.Parallel()
	var hub *server.Options
	s := startWithUsers(t, func(o *server.Options) {
		o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", server.RANDOM_PORT
		hub = o
	})
	l := logAs(t, s, "publisher:p")
	remote := &url.URL{Scheme: "nats-leaf", User: url.UserPassword("sidecar", "s"), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(hub.LeafNode.Port))}
	leaf := startServer(t, &server.Options{
		ServerName: "leaf", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true,
		LeafNode: server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}},
	})
	waiting.Until(t, "the leaf node to log in", func() bool { return s.NumLeafNodes() == 1 })
	followBy(t, l, leaf.ClientURL())
}
