package node

import "context"

// Unlisten stops answering on the address of that name, see [Node.Addr]; everything else goes on. What is under way is
// finished first.
func (n *Node) Unlisten(ctx context.Context, name string) error {
	for _, l := range n.servers {
		if l.name == name {
			return l.server.Shutdown(ctx)
		}
	}
	return nil
}
