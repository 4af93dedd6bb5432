package process

import (
	"context"
	"slices"
)

// AwaitNextLeader returns once a server other than the one that was lost leads a
// stream by its own account.
func (c *Cluster) AwaitNextLeader(ctx context.Context, stream string, lost *Node) error {
	return Await(ctx, "waiting for the next leader of "+stream, func() bool {
		return slices.ContainsFunc(c.Nodes, func(n *Node) bool { return n != lost && n.saysItLeads(ctx, stream) })
	})
}

func (n *Node) saysItLeads(ctx context.Context, stream string) bool {
	said, err := n.jetStream(ctx)
	return err == nil && said.leader(stream) == n.Name
}
