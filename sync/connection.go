package flagsync

import "context"

// CheckConnection connects once and reports why that is impossible. It waits a
// few seconds at most.
func CheckConnection(ctx context.Context, o ConnectOptions) error {
	c, err := Connect(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	return Use(c).awaitConnection(ctx)
}
