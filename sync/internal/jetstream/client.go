package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Client asks JetStream over a connection. It is safe for concurrent use.
type Client struct {
	*Conn

	own bool // asks the JetStream in the account that has logged in, not that of the log
}

// Use returns a client that asks over a connection, which stays the caller's to close.
func Use(c *Conn) Client { return Client{Conn: c} }

// Own returns a client of the JetStream in the account that has logged in. On a server without accounts that is the one of the log.
func (c Client) Own() Client { return Client{Conn: c.Conn, own: true} }

// api returns what the subjects of the JetStream API begin with.
func (c Client) api() string {
	if c.own {
		return c.prefix.plain
	}
	return c.Conn.api()
}

// NATS returns the connection itself, for another client of JetStream. It stays the caller's to close.
func (c Client) NATS() *nats.Conn { return c.nats }

// OwnAPI returns what the subjects of the API begin with of the JetStream in the
// account that has logged in, without the last dot: not that of the log, unless
// the server has no accounts.
func (c Client) OwnAPI() string { return strings.TrimSuffix(c.prefix.plain, ".") }

// Logger receives what happens to the connection.
func (c Client) Logger() *zerolog.Logger { return &c.logger }

// Reconnect gives the connection up for another one.
func (c Client) Reconnect() error {
	c.usable.Store(false)
	return c.nats.ForceReconnect()
}

// ProbeStorage has an embedded server look whether its disk is full.
func (c Client) ProbeStorage() {
	if c.storageProbe != nil {
		c.storageProbe()
	}
}

// Ping returns nil once the server at the other end of the connection has
// answered.
func (c Client) Ping(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.nats.FlushWithContext(ctx)
}

// awaitTimeout bounds how long a connection is waited for.
const awaitTimeout = 5 * time.Second

// AwaitConnection returns nil once there is a connection, and after a few seconds why there is none.
func (c Client) AwaitConnection(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	missed, stop := c.Listen()
	defer stop()
	for !c.Connected() {
		select {
		case <-missed:
		case <-ctx.Done():
			return fmt.Errorf("%w: there is no connection to NATS: %w", ErrUnreachable, errors.Join(c.LastError(), context.Cause(ctx)))
		}
	}
	return nil
}

// Refused returns the last refusal of a subject, which names it, or nil.
func (c Client) Refused() error {
	if err := c.nats.LastError(); errors.Is(err, nats.ErrPermissionViolation) && !c.refusedProbe(err) {
		return fmt.Errorf("the NATS user lacks a permission: %w", err)
	}
	return nil
}

// Listen returns a channel of one that is told when messages may have been missed, until stop is called.
func (c Client) Listen() (missed <-chan struct{}, stop func()) {
	l := &listener{missed: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners[l] = struct{}{}
	return l.missed, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, l)
	}
}
