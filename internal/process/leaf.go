package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// LeafListener returns the part of a server's configuration by which leaf nodes can log in at an address.
func LeafListener(address string) []byte {
	return fmt.Appendf(nil, "leafnodes { listen: %q }\n", address)
}

// StartLeaf runs a leaf node of a server that listens for some at an address. It logs in there with the seed of a NATS user, and lets everybody
// on this machine log in as that user. It is ready when it returns.
func (n *Node) StartLeaf(ctx context.Context, dir, name, hub, seed string) (*Node, error) {
	addresses, err := FixedAddresses(2)
	if err != nil {
		return nil, err
	}
	leaf := &Node{Name: name, Client: addresses[0], monitor: addresses[1], binary: n.binary, config: filepath.Join(dir, name+".conf")}
	config := fmt.Appendf(nil, "server_name: %q\nlisten: %q\nhttp: %q\nleafnodes { remotes: [ { url: %q, nkey: %q } ] }\n",
		name, leaf.Client, leaf.monitor, "nats-leaf://"+hub, seed)
	if err := os.WriteFile(leaf.config, config, 0o600); err != nil {
		return nil, err
	}
	if err := leaf.Start(); err != nil {
		return nil, err
	}
	return leaf, Await(ctx, "waiting for the leaf node "+name, func() bool { return leaf.joined(ctx) })
}

// joined reports whether a leaf node has logged in to its hub.
func (n *Node) joined(ctx context.Context) bool {
	var hubs struct {
		Count int `json:"leafnodes"`
	}
	return n.monitored(ctx, "/leafz", &hubs) == nil && hubs.Count > 0
}
