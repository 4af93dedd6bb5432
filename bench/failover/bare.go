package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/process"
)

const (
	bareStream = "BARE"
	// bareTimeout is how long an acknowledgement is waited for: shorter than one
	// would, so that hardly anything but the election is measured.
	bareTimeout = 250 * time.Millisecond
)

// bare writes to a stream of its own on the same servers with nothing of flagside
// between: what it misses is the servers' own time without a leader.
type bare struct {
	conn *nats.Conn
}

func connectBare(ctx context.Context, servers *process.Cluster) (*bare, error) {
	conn, err := nats.Connect(servers.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.PingInterval(time.Second), nats.Timeout(time.Second), nats.ReconnectBufSize(-1))
	if err != nil {
		return nil, fmt.Errorf("connect to the servers: %w", err)
	}
	b := &bare{conn: conn}
	return b, b.ask(ctx, "$JS.API.STREAM.CREATE."+bareStream,
		map[string]any{"name": bareStream, "subjects": []string{"bare"}, "num_replicas": len(servers.Nodes)}, 10*time.Second)
}

func (b *bare) close() {
	if b != nil {
		b.conn.Close()
	}
}

// leadFrom gives the stream to the server that is to be lost.
func (b *bare) leadFrom(ctx context.Context, servers *process.Cluster, n *process.Node) error {
	return process.Await(ctx, "waiting for "+n.Name+" to lead "+bareStream, func() bool {
		leader, err := servers.Leader(ctx, bareStream)
		if err != nil || leader == n {
			return err == nil
		}
		placement := map[string]any{"placement": map[string]string{"preferred": n.Name}}
		_ = b.ask(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+bareStream, placement, time.Second) // tried until it leads
		return false
	})
}

// write returns the longest time between two acknowledged messages.
func (b *bare) write(ctx context.Context) (gap time.Duration) {
	last := time.Now()
	for ; ctx.Err() == nil; time.Sleep(interval) {
		if b.ask(ctx, "bare", "a message", bareTimeout) == nil {
			gap = max(gap, time.Since(last))
			last = time.Now()
		}
	}
	return max(gap, time.Since(last))
}

// ask sends a request as JSON, and returns an error unless it is granted.
func (b *bare) ask(ctx context.Context, subject string, body any, timeout time.Duration) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	msg, err := b.conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %w", subject, errors.New(answer.Error.Description))
	}
	return nil
}
