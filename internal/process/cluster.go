package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
)

// natsServer is the program of the NATS project, in the version that go.mod
// names: the servers that an operator runs are not ours.
const natsServer = "github.com/nats-io/nats-server/v2"

// members is the size of a cluster: the least of which one may be missing.
const members = 3

// Cluster is three NATS servers with JetStream, or a single one, each a process,
// so that one can be killed, paused and cut off as a machine would be.
type Cluster struct {
	Nodes []*Node
	links []link
}

// link is the network between two servers.
type link struct {
	between [2]*Node
	network *faultnet.Proxy
}

// Node is one server of a [Cluster] and where it listens, host:port.
type Node struct {
	*Process // the newest; nil before the first start
	Name     string
	Client   string
	monitor  string
	binary   string
	config   string
}

// StartCluster builds the server into dir, runs three of them with their stores
// there, and waits until they have elected a leader. more is added to the
// configuration of each. Whatever it returns, the caller ends it with
// [Cluster.Kill].
func StartCluster(ctx context.Context, dir string, more ...byte) (*Cluster, error) {
	c, peers, err := prepare(ctx, dir, members)
	if err != nil {
		return c, err
	}
	for i, n := range c.Nodes {
		routes, err := c.linkWithOthers(i, peers)
		if err != nil {
			return c, err
		}
		if err := os.WriteFile(n.config, append(n.configuration(filepath.Join(dir, n.Name), peers[i], routes), more...), 0o600); err != nil {
			return c, err
		}
	}
	if err := c.start(); err != nil {
		return c, err
	}
	return c, Await(ctx, "waiting for the cluster", func() bool { return c.complete(ctx) })
}

// StartServer does the same with one server that has no others.
func StartServer(ctx context.Context, dir string, more ...byte) (*Cluster, error) {
	c, _, err := prepare(ctx, dir, 1)
	if err != nil {
		return c, err
	}
	n := c.Nodes[0]
	if err := os.WriteFile(n.config, append(n.alone(filepath.Join(dir, n.Name)), more...), 0o600); err != nil {
		return c, err
	}
	if err := c.start(); err != nil {
		return c, err
	}
	return c, Await(ctx, "waiting for the server", func() bool {
		_, err := n.jetStream(ctx)
		return err == nil
	})
}

// prepare builds the server and finds addresses: for each node its own, and
// those for the servers among themselves.
func prepare(ctx context.Context, dir string, size int) (c *Cluster, peers []string, err error) {
	c = &Cluster{}
	binary := filepath.Join(dir, "nats-server")
	// #nosec G204 -- the arguments are constants and a directory of the caller's.
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, natsServer).CombinedOutput(); err != nil {
		return c, nil, fmt.Errorf("build nats-server: %w\n%s", err, out)
	}
	addresses, err := FixedAddresses(3 * size)
	if err != nil {
		return c, nil, err
	}
	clients, peers, monitors := addresses[:size], addresses[size:2*size], addresses[2*size:]
	for i := range size {
		n := &Node{Name: fmt.Sprintf("node-%d", i+1), Client: clients[i], monitor: monitors[i], binary: binary}
		n.config = filepath.Join(dir, n.Name+".conf")
		c.Nodes = append(c.Nodes, n)
	}
	return c, peers, nil
}

func (c *Cluster) start() error {
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	return nil
}

// alone configures a server without others.
func (n *Node) alone(store string) []byte {
	return fmt.Appendf(nil, `
server_name: %q
listen: %q
http: %q
jetstream { store_dir: %q, sync_interval: always }
`, n.Name, n.Client, n.monitor, store)
}

// linkWithOthers makes the networks on which a server reaches the others, and
// returns their addresses.
func (c *Cluster) linkWithOthers(i int, peers []string) (routes []string, err error) {
	for j := range peers {
		if j == i {
			continue
		}
		network, err := faultnet.Listen(peers[j])
		if err != nil {
			return nil, err
		}
		c.links = append(c.links, link{between: [2]*Node{c.Nodes[j], c.Nodes[i]}, network: network})
		routes = append(routes, strconv.Quote("nats://"+network.Addr()))
	}
	return routes, nil
}

// configuration does not advertise the servers, so that clients that were given
// a proxy stay behind it, and tells other servers an address where no one is, so
// that they keep to their routes.
func (n *Node) configuration(store, peer string, routes []string) []byte {
	return fmt.Appendf(n.alone(store), `
cluster { name: "test", listen: %q, no_advertise: true, advertise: "127.0.0.1:1", routes: [%s] }
`, peer, strings.Join(routes, ", "))
}

// CutOff separates a server from the others, but not from its clients, or joins
// them again.
func (c *Cluster) CutOff(n *Node, off bool) {
	for _, l := range c.links {
		if !slices.Contains(l.between[:], n) {
			continue
		}
		l.network.Refuse(off)
		if off {
			l.network.Cut()
		}
	}
}

// Addresses returns where all servers listen for clients, separated by commas.
func (c *Cluster) Addresses() string {
	addresses := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addresses[i] = n.Client
	}
	return strings.Join(addresses, ",")
}

// URL returns the addresses of all servers for clients.
func (c *Cluster) URL() string { return natsURL(c.Addresses()) }

// Kill ends all servers.
func (c *Cluster) Kill() {
	for _, l := range c.links {
		l.network.Close()
	}
	for _, n := range c.Nodes {
		if n.Process != nil {
			n.Process.Kill()
		}
	}
}

// Start runs the server, again after it was killed, and does not wait for it.
func (n *Node) Start() error {
	p, err := Start(n.binary, "--config", n.config)
	if err != nil {
		return err
	}
	n.Process = p
	return nil
}

// Pause stops the server in the middle of whatever it does: no one is told, its
// connections stay.
func (n *Node) Pause() error { return n.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (n *Node) Resume() error { return n.Signal(syscall.SIGCONT) }

// Leader returns the server that leads a stream, as most of the servers see it,
// once there is one.
func (c *Cluster) Leader(ctx context.Context, stream string) (*Node, error) {
	var leader *Node
	err := Await(ctx, "waiting for a leader of "+stream, func() bool {
		leader = c.leader(ctx, stream)
		return leader != nil
	})
	return leader, err
}

func (c *Cluster) leader(ctx context.Context, stream string) *Node {
	votes := make(map[string]int)
	for _, n := range c.Nodes {
		if s, err := n.jetStream(ctx); err == nil {
			votes[s.leader(stream)]++
		}
	}
	i := slices.IndexFunc(c.Nodes, func(n *Node) bool { return 2*votes[n.Name] > len(c.Nodes) })
	if i < 0 {
		return nil
	}
	return c.Nodes[i]
}

// AwaitOtherLeaders waits until a server other than the one that is lost leads each stream, as most of the servers see it.
func (c *Cluster) AwaitOtherLeaders(ctx context.Context, lost *Node) error {
	return Await(ctx, "waiting for other leaders than "+lost.Name, func() bool { return c.ledByOthers(ctx, lost) })
}

func (c *Cluster) ledByOthers(ctx context.Context, lost *Node) bool {
	votes, streams := make(map[string]int), make(map[string]bool)
	for _, n := range c.Nodes {
		s, err := n.jetStream(ctx)
		if err != nil {
			continue
		}
		for _, account := range s.Accounts {
			for _, found := range account.Streams {
				streams[found.Name] = true
				if leader := found.Cluster.Leader; leader != "" && leader != lost.Name {
					votes[found.Name]++
				}
			}
		}
	}
	for stream := range streams {
		if 2*votes[stream] <= len(c.Nodes) {
			return false
		}
	}
	return len(streams) > 0
}

// complete reports whether all servers know who leads the three, and that one
// has heard of both others: before that it finds no place for a stream.
func (c *Cluster) complete(ctx context.Context) bool {
	for _, n := range c.Nodes {
		s, err := n.jetStream(ctx)
		if err != nil || s.Meta.Leader == "" || s.Meta.Leader == n.Name && !s.followed() {
			return false
		}
	}
	return true
}

// jetStream is what the monitoring port of a server says.
type jetStream struct {
	Meta struct {
		Leader   string `json:"leader"`
		Replicas []struct {
			Current bool `json:"current"`
			Offline bool `json:"offline"`
		} `json:"replicas"` // the others, as the leader sees them
	} `json:"meta_cluster"`
	Accounts []struct {
		Streams []struct {
			Name    string `json:"name"`
			Cluster struct {
				Leader string `json:"leader"`
			} `json:"cluster"`
		} `json:"stream_detail"`
	} `json:"account_details"`
}

// followed reports whether all others are there and up to date.
func (s *jetStream) followed() bool {
	present := 0
	for _, other := range s.Meta.Replicas {
		if other.Current && !other.Offline {
			present++
		}
	}
	return present == members-1
}

// leader returns the name of the server that leads a stream, "" if that is not
// known.
func (s *jetStream) leader(stream string) string {
	for _, account := range s.Accounts {
		for _, found := range account.Streams {
			if found.Name == stream {
				return found.Cluster.Leader
			}
		}
	}
	return ""
}

func (n *Node) jetStream(ctx context.Context) (*jetStream, error) {
	var s jetStream
	return &s, n.monitored(ctx, "/jsz?streams=true&accounts=true", &s)
}

// SlowConsumers returns how many clients the server has cut off because they did
// not take what it had for them.
func (n *Node) SlowConsumers(ctx context.Context) (int, error) {
	var s struct {
		Slow int `json:"slow_consumers"`
	}
	err := n.monitored(ctx, "/varz", &s)
	return s.Slow, err
}

// monitored decodes what the monitoring port of the server says.
func (n *Node) monitored(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a paused server does not answer
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.monitor+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return json.NewDecoder(res.Body).Decode(into)
}

// FixedAddresses returns n loopback addresses that no one listens on and that
// systems do not give to outgoing connections: a server that is started again
// finds them free.
func FixedAddresses(n int) ([]string, error) {
	const lowest, highest, tries = 15000, 32000, 1000
	var addresses []string
	for range tries {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest))))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // all at the end, so that no address comes twice
		if addresses = append(addresses, l.Addr().String()); len(addresses) == n {
			return addresses, nil
		}
	}
	return nil, errors.New("there are no free ports")
}
