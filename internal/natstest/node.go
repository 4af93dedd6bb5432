package natstest

import (
	"net"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// Node is one server: of a [Cluster], or alone.
type Node struct {
	options server.Options
	server  *server.Server // nil while it is stopped
}

// newNode configures a server as publishers embed it, with its users.
func newNode(tb testing.TB, name, dir string, port int) *Node {
	tb.Helper()
	n := &Node{options: server.Options{
		ServerName: name, Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, WriteDeadline: writeDeadline,
	}}
	if err := n.options.ProcessConfigString(string(Authorization(tb))); err != nil {
		tb.Fatal(err)
	}
	return n
}

// URL returns the address of this node for clients. It stays the same over Stop
// and Restart.
func (n *Node) URL() string {
	return "nats://" + net.JoinHostPort(n.options.Host, strconv.Itoa(n.options.Port))
}

// Stop shuts the node down and keeps its store. Stopping a stopped node does
// nothing.
func (n *Node) Stop(tb testing.TB) {
	tb.Helper()
	if n.server == nil {
		return
	}
	n.server.Shutdown()
	n.server.WaitForShutdown()
	n.server = nil
}

// Restart starts the node again, after stopping it if it runs, with the same
// store and addresses. In a cluster it may take a while to catch up with the
// others.
func (n *Node) Restart(tb testing.TB) {
	tb.Helper()
	n.Stop(tb)
	n.start(tb)
	n.awaitReady(tb)
}

func (n *Node) start(tb testing.TB) {
	tb.Helper()
	options := n.options.Clone() // the server keeps and changes what it is given
	s, err := server.NewServer(options)
	if err != nil {
		tb.Fatal(err)
	}
	n.server = s
	s.Start()
}

func (n *Node) awaitReady(tb testing.TB) {
	tb.Helper()
	if !n.server.ReadyForConnections(startTimeout) {
		tb.Fatalf("%s is not ready after %s", n.options.ServerName, startTimeout)
	}
}

// StepDown makes the leader of a stream give up its place to another node. The
// node must lead it.
func (n *Node) StepDown(tb testing.TB, stream string) {
	tb.Helper()
	if err := n.server.JetStreamStepdownStream(streamsAccount, stream); err != nil {
		tb.Fatal(err)
	}
}

// HasJetStream reports whether the node stores anything: a server of a cluster gives
// JetStream up when its disk fails.
func (n *Node) HasJetStream() bool { return n.server.JetStreamEnabled() }
