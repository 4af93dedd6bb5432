package flagsync_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// zone is a hub, and a leaf node that logs in to it as a sidecar does. Each can end and come back at its addresses.
type zone struct {
	store     string
	hub, leaf *server.Server
	ports     [3]int // of the hub for clients and for leaf nodes, of the leaf node for clients
}

func startZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{store: t.TempDir()}
	addresses, err := process.FixedAddresses(len(z.ports))
	if err != nil {
		t.Fatal(err)
	}
	for i, address := range addresses {
		z.ports[i] = int(netip.MustParseAddrPort(address).Port())
	}
	z.startHub(t)
	z.startLeaf(t)
	return z
}

func (z *zone) startHub(t *testing.T) {
	t.Helper()
	z.hub = startWithUsers(t, func(o *server.Options) {
		o.StoreDir, o.Port = z.store, z.ports[0]
		o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", z.ports[1]
	})
}

func (z *zone) startLeaf(t *testing.T) {
	t.Helper()
	hub := net.JoinHostPort("127.0.0.1", strconv.Itoa(z.ports[1]))
	remote := &url.URL{Scheme: "nats-leaf", User: url.UserPassword("sidecar", "s"), Host: hub}
	z.leaf = startServer(t, &server.Options{
		ServerName: "leaf", Host: "127.0.0.1", Port: z.ports[2], NoSigs: true,
		LeafNode: server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}},
	})
	z.joined(t)
}

func (z *zone) joined(t *testing.T) {
	t.Helper()
	waiting.Until(t, "the leaf node to log in", func() bool { return z.hub.NumLeafNodes() == 1 && z.leaf.NumLeafNodes() == 1 })
}

func end(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// follow follows through the leaf node until everything is there.
func (z *zone) follow(t *testing.T) *running {
	t.Helper()
	o := flagsync.ConnectOptions{
		URL: z.leaf.ClientURL(), InboxPrefix: "_sidecar1", Environment: environment, Keyring: trusttest.Default().Keyring(), Logger: testLogger,
	}
	waiting.UntilNil(t, "an environment that can be followed", func() error { return follow.Check(t.Context(), o, environment) })
	c, err := flagsync.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := startFollowing(t, c)
	r.until(t, "synced", isSynced)
	return r
}

// applied waits until a follower has a position and, from the leader, that nothing is behind it.
func (r *running) applied(t *testing.T, head changelog.Position) {
	t.Helper()
	r.until(t, "what was written", func(s follow.Status) bool { return s.Applied == head })
	waiting.UntilNil(t, "a barrier", func() error { return r.Barrier(t.Context()) })
}

// What is written while the leaf node is away is there when it comes back.
func TestALeafNodeComesBack(t *testing.T) {
	t.Parallel()
	z := startZone(t)
	l := logAs(t, z.hub, "publisher:p")
	l.write(t, put("before", "{}"))
	r := z.follow(t)
	for range 2 {
		end(z.leaf)
		waiting.Until(t, "that the follower is cut off", func() bool { return !r.Status().Connected })
		l.write(t, put("missed", "{}"))
		head := l.write(t, put("missed-too", "{}"))
		if r.Status().Applied == head {
			t.Fatal("the follower has what nothing can have brought")
		}
		z.startLeaf(t)
		r.applied(t, head)
		r.applied(t, l.write(t, put("after", "{}")))
	}
	if s := r.Status(); s.StateTransfers > 0 || s.Rebuilds > 0 || s.DifferentHistory != nil {
		t.Errorf("it began anew: %+v", s)
	}
}

// While the hub is away, sidecars stay connected to the leaf node. They know that this proves nothing, and go on where they were when the hub comes
// back.
func TestTheHubOfALeafNodeComesBack(t *testing.T) {
	t.Parallel()
	z := startZone(t)
	l := logAs(t, z.hub, "publisher:p")
	r := z.follow(t)
	r.applied(t, l.write(t, put("before", "{}")))

	end(z.hub)
	waiting.Until(t, "that the leaf node is alone", func() bool { return z.leaf.NumLeafNodes() == 0 })
	var confirmed time.Time
	waiting.Until(t, "that no heartbeat is on its way any more", func() bool {
		before := confirmed
		time.Sleep(time.Second) // as long as there is between two
		confirmed = r.Status().LastConfirmed
		return confirmed.Equal(before)
	})
	if err := within(t, 10*time.Second, r.Barrier); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("a barrier without the hub: %v, want that the log cannot be reached", err)
	}
	s := r.Status()
	if !s.Connected || !s.LastConfirmed.Equal(confirmed) || r.target.count() != 1 {
		t.Errorf("connected %v, confirmed %v after %v, %d documents: want a connection that proves nothing, and the document",
			s.Connected, s.LastConfirmed, confirmed, r.target.count())
	}

	z.startHub(t)
	z.joined(t)
	head := l.write(t, put("after", "{}"))
	r.applied(t, head)
	if s := r.Status(); s.StateTransfers > 0 || s.Rebuilds > 0 || s.DifferentHistory != nil || !s.LastConfirmed.After(confirmed) {
		t.Errorf("it did not go on where it was: %+v", s)
	}
}

func within(t *testing.T, limit time.Duration, do func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return do(ctx)
}

// A leaf node lets in the same users as the hub, with the permissions that `flagside credentials config` prints, and no one else.
func TestSidecarsLogInToALeafNode(t *testing.T) {
	t.Parallel()
	users := natstest.Users(t)
	hubOptions := &server.Options{StoreDir: t.TempDir()}
	if err := hubOptions.ProcessConfigString(string(natstest.Authorization(t)) + "leafnodes { listen: \"127.0.0.1:-1\" }\njetstream: enabled"); err != nil {
		t.Fatal(err)
	}
	hubOptions.Host, hubOptions.Port, hubOptions.NoSigs = "127.0.0.1", server.RANDOM_PORT, true
	hub := startServer(t, hubOptions)

	seed, err := os.ReadFile(natstest.SidecarKey(t))
	if err != nil {
		t.Fatal(err)
	}
	leafOptions := &server.Options{ServerName: "zone-a"}
	if err := leafOptions.ProcessConfigString(fmt.Sprintf("authorization { users: %s }\nleafnodes { remotes: [ { url: \"nats-leaf://127.0.0.1:%d\", nkey: %q } ] }",
		usersOf(t, users, "SC_"+environment), hubOptions.LeafNode.Port, seed)); err != nil {
		t.Fatal(err)
	}
	leafOptions.Host, leafOptions.Port, leafOptions.NoSigs = "127.0.0.1", server.RANDOM_PORT, true
	leaf := startServer(t, leafOptions)
	waiting.Until(t, "the leaf node to log in", func() bool { return hub.NumLeafNodes() == 1 })

	l := logOver(t, connect(t, hub.ClientURL()))
	l.write(t, put("before", "{}"))
	r := startFollowing(t, connectSidecar(t, leaf.ClientURL()))
	r.until(t, "synced", isSynced)
	r.applied(t, l.write(t, put("after", "{}")))
	if guest, err := nats.Connect(leaf.ClientURL()); err == nil {
		guest.Close()
		t.Error("the leaf node lets in a client without credentials")
	}
}

// usersOf returns the users of an account, as `flagside credentials config` prints them.
func usersOf(t *testing.T, users []natsserver.User, account string) []byte {
	t.Helper()
	config, err := natsserver.ServerConfig(users)
	if err != nil {
		t.Fatal(err)
	}
	var accounts map[string]struct {
		Users jsontext.Value `json:"users"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(config, []byte("accounts: ")), &accounts); err != nil {
		t.Fatal(err)
	}
	return accounts[account].Users
}
