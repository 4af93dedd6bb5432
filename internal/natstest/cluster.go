package natstest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/waiting"
)

// nodes is the size of a cluster: the least of which one may be missing.
const nodes = 3

// streamsAccount holds the streams, publishersAccount is that of publishers.
const (
	streamsAccount    = "FLAGSIDE"
	publishersAccount = "PUBLISHERS"
)

// Cluster is three JetStream nodes in the process of the test. They can be
// stopped, but not killed or paused as processes can.
type Cluster struct {
	Nodes []*Node
}

// StartCluster returns a running cluster that has elected its leader. It ends
// with the test. Its nodes have their stores in the directories that are given, by
// their order, and in temporary ones.
func StartCluster(tb testing.TB, stores ...string) *Cluster {
	tb.Helper()
	var routes []*url.URL
	clients, peers := freePorts(tb, nodes), freePorts(tb, nodes)
	for _, port := range peers {
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	}
	c := &Cluster{}
	dir := tb.TempDir()
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i+1)
		store := filepath.Join(dir, name)
		if i < len(stores) {
			store = stores[i]
		}
		n := newNode(tb, name, store, clients[i])
		// Not advertised, so that clients that were given a proxy stay behind it.
		n.options.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: peers[i], NoAdvertise: true}
		n.options.Routes = routes
		c.Nodes = append(c.Nodes, n)
	}
	tb.Cleanup(func() {
		for _, n := range c.Nodes {
			n.Stop(tb)
		}
	})
	for _, n := range c.Nodes {
		n.start(tb)
	}
	for _, n := range c.Nodes {
		n.awaitReady(tb)
	}
	waiting.Until(tb, "a cluster of three that agree on their leader", c.complete)
	return c
}

// URL returns the addresses of all nodes for clients. It stays the same over
// Stop and Restart.
func (c *Cluster) URL() string {
	urls := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		urls[i] = n.URL()
	}
	return strings.Join(urls, ",")
}

// Leader returns the node that leads a stream, once there is one.
func (c *Cluster) Leader(tb testing.TB, stream string) *Node {
	tb.Helper()
	var leader *Node
	waiting.Until(tb, "a leader of "+stream, func() bool {
		for _, n := range c.Nodes {
			if n.server != nil && n.server.JetStreamIsStreamLeader(streamsAccount, stream) {
				leader = n
			}
		}
		return leader != nil
	})
	return leader
}

// Client returns a plain connection of nats.go, as [Server.Client] does.
func (c *Cluster) Client(tb testing.TB) *nats.Conn {
	tb.Helper()
	return Connect(tb, c.URL())
}

// complete reports whether one node leads all three and the others follow.
func (c *Cluster) complete() bool {
	leads := func(n *Node) bool {
		return n.server.JetStreamIsLeader() && len(n.server.JetStreamClusterPeers()) == nodes
	}
	strays := func(n *Node) bool { return !n.server.JetStreamIsCurrent() }
	return slices.ContainsFunc(c.Nodes, leads) && !slices.ContainsFunc(c.Nodes, strays)
}

// freePorts returns n ports on loopback that no one listens on, below those that
// systems give to outgoing connections: a server that restarts finds its port
// free again.
func freePorts(tb testing.TB, n int) []int {
	tb.Helper()
	const lowest, highest = 15000, 32000
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		if tries > 1000 {
			tb.Fatalf("there are no %d free ports between %d and %d", n, lowest, highest)
		}
		port := lowest + rand.IntN(highest-lowest)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // all at the end, so that no port comes twice
		ports = append(ports, port)
	}
	return ports
}
