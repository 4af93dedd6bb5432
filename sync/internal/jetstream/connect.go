package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	// dialTimeout bounds one attempt to reach one server.
	dialTimeout = 2 * time.Second
	// pingInterval is how often an idle connection is probed; two unanswered
	// probes end it.
	pingInterval = 10 * time.Second
)

// ConnectOptions tell how to reach NATS.
type ConnectOptions struct {
	// URL is the address of a server, nats:// or tls://, or several separated
	// by commas. It must be empty when Server is set.
	URL string
	// Server is an embedded server to be reached without a network, or nil.
	Server interface{ InProcessConn() (net.Conn, error) }
	// Storage returns why an embedded server cannot write to its disk, as
	// [ErrDiskFull], or nil. It is nil for servers elsewhere, which do not tell.
	Storage func() error
	// ProbeStorage has an embedded server try a write, for Storage to tell, because
	// something was refused as a full disk has it refused: it does not always say so.
	// It is nil for servers elsewhere.
	ProbeStorage func()
	// Domain is the JetStream domain of servers without accounts, needed through a
	// leaf node; "" is none.
	Domain string
	// Environment is the one that a sidecar follows; "" is for publishers.
	Environment string
	// Insecure lets connections beyond loopback go without TLS.
	Insecure bool
	// Credentials is the path of a NATS credentials file, NKey that of a file
	// with the seed of a NATS user; "" is none. They exclude each other. Like the
	// files below, they are read again for every attempt to connect.
	Credentials string
	NKey        string
	// CA is the path of a PEM file with CA certificates for the server; ""
	// leaves that to the system. Certificate and CertificateKey are the paths of
	// our own; "" is none. Any of them demands TLS.
	CA             string
	Certificate    string
	CertificateKey string
	// User and Password are for an embedded server: those of its own publisher,
	// or the environment of a sidecar and no password; "" is none.
	User     string
	Password string
	// Name is the connection's name, for people who look at the server.
	Name string
	// InboxPrefix is the first part of the subjects replies come to; "" is
	// _INBOX. Sidecars need their own, so that none can read another's replies.
	InboxPrefix string
	// Keyring decides what is believed of all that is read; required.
	Keyring *changelog.Keyring
	// Signer signs what is written; nil for those who only read.
	Signer *changelog.Signer
	// Logger receives what happens to the connection.
	Logger zerolog.Logger
}

// Conn is a connection to NATS that repairs itself. It is safe for concurrent
// use.
type Conn struct {
	nats   *nats.Conn
	keys   *changelog.Keyring
	signer *changelog.Signer // nil for those who only read
	log    zerolog.Logger

	storage      func() error // nil for servers elsewhere
	storageProbe func()       // as above

	prefix *prefix // of the subjects of the JetStream API

	lastError  atomic.Pointer[error]
	connecting atomic.Pointer[nats.Conn] // nats, for callbacks that may come before it is set
	reconnects atomic.Uint64
	// usable is what nats.go says about the connection, kept because it cannot be
	// asked while it tries to connect: it holds its lock for as long.
	usable  atomic.Bool
	greeted chan struct{} // closed when there was a connection

	mu        sync.Mutex
	listeners map[*listener]struct{}
	lost      context.CancelCauseFunc
	up        context.Context //nolint:containedctx // ends when the connection is lost, and is then replaced
}

// errLost ends requests whose answer cannot come any more.
var errLost = errors.New("the connection to NATS was lost")

// listener is told, by a value in a channel of one, that messages may have been
// missed.
type listener struct{ missed chan struct{} }

// Connect returns a connection. That the server cannot be reached is no error:
// it is tried until Close. Wrong options are. When ctx ends before the first
// attempt is over, there is no connection.
func Connect(ctx context.Context, o ConnectOptions) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	err := o.Validate()
	if err == nil && o.Keyring == nil {
		err = errors.New("no root keys to verify the log with: give the publisher's trust file")
	}
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	c := &Conn{
		storage: o.Storage, storageProbe: o.ProbeStorage, prefix: newPrefix(o), keys: o.Keyring, signer: o.Signer, log: o.Logger,
		greeted: make(chan struct{}), listeners: make(map[*listener]struct{}),
	}
	c.up, c.lost = context.WithCancelCause(context.Background())
	secrets, err := c.secure(o)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	first := newFirstDial(ctx)
	options := append(c.options(o), nats.SetCustomDialer(first))
	conn, err := nats.Connect(o.URL, append(options, secrets...)...)
	first.over()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if err := ctx.Err(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	c.nats = conn
	c.connecting.Store(conn)
	if conn.IsConnected() {
		<-c.greeted // so that what is asked at once is sent
		c.awaitPrefix(ctx)
	}
	return c, nil
}

// awaitPrefix lets what is asked at once go the right way.
func (c *Conn) awaitPrefix(ctx context.Context) {
	patience := time.NewTimer(probePatience)
	defer patience.Stop()
	select {
	case <-c.prefix.decided:
	case <-patience.C:
	case <-ctx.Done():
	}
}

// Validate reports what is wrong with o, without reaching for a server.
func (o ConnectOptions) Validate() error {
	if (o.URL == "") == (o.Server == nil) {
		return errors.New("give either a URL or an embedded server")
	}
	for address := range strings.SplitSeq(o.URL, ",") {
		if err := o.validateAddress(strings.TrimSpace(address)); o.Server == nil && err != nil {
			return err
		}
	}
	if o.Signer != nil && o.Keyring != nil && o.Signer.Installation() != o.Keyring.Installation() {
		return errors.New("the signing key and the root keys belong to two installations: use the keys and the trust file of one")
	}
	if strings.ContainsAny(o.Domain, ".*> \t") {
		return fmt.Errorf("%q is not a JetStream domain: it must be one subject token", o.Domain)
	}
	if strings.ContainsAny(o.InboxPrefix, "*> \t") || strings.HasSuffix(o.InboxPrefix, ".") {
		return fmt.Errorf("%q is not an inbox prefix: it must be a subject without wildcards", o.InboxPrefix)
	}
	return o.validateFiles()
}

// validateAddress never repeats an address that it cannot read: a password may
// stand anywhere in it.
func (o ConnectOptions) validateAddress(address string) error {
	const want = "want nats://host:port or tls://host:port"
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || !strings.Contains(address, "://") {
		return errors.New("the URL cannot be read: " + want)
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return fmt.Errorf("URL %q: %s", u.Redacted(), want)
	}
	if u.Hostname() == "" {
		return fmt.Errorf("URL %q names no host: want nats://host:port or tls://host:port", u.Redacted())
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("URL %q: port %s is not a number from 0 to 65535", u.Redacted(), port)
		}
	}
	if !o.Insecure && !isLoopback(u.Hostname()) && !o.encrypts(u.Scheme) {
		return fmt.Errorf("URL %q: beyond loopback the connection must be encrypted: write tls:// (wss:// for WebSocket), "+
			"or allow it with --nats-insecure where the network protects it", u.Redacted())
	}
	return nil
}

// encrypts reports whether a connection to an address with the scheme is refused
// unless it is encrypted.
func (o ConnectOptions) encrypts(scheme string) bool {
	switch scheme {
	case "tls", "wss":
		return true
	case "nats":
		return o.CA != "" || o.Certificate != "" // each demands TLS
	default:
		return false
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// mayLeaveLoopback reports whether it is safe to follow a server that names
// others, which may be anywhere.
func (o ConnectOptions) mayLeaveLoopback() bool {
	if o.Server != nil {
		return false
	}
	if o.Insecure {
		return true
	}
	for address := range strings.SplitSeq(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil || !o.encrypts(u.Scheme) {
			return false
		}
	}
	return true
}

func (c *Conn) options(o ConnectOptions) []nats.Option {
	reconnects := newReconnects()
	options := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		// Nothing may be sent later than it was meant to be: heartbeats and appends
		// of an outage would arrive after it.
		nats.ReconnectBufSize(-1),
		nats.ReconnectToServer(func(servers []nats.Server, info nats.ServerInfo) (*nats.Server, time.Duration) {
			c.renewKey(o.NKey)
			return reconnects.next(servers, info)
		}),
		nats.ConnectHandler(func(conn *nats.Conn) {
			reconnects.connected()
			c.connected(conn, "connected to NATS")
			close(c.greeted)
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			reconnects.connected()
			c.reconnects.Add(1)
			c.connected(conn, "connected to NATS again")
		}),
		nats.DisconnectErrHandler(func(conn *nats.Conn, err error) { c.disconnected(conn, err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.note(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { c.failed(sub, err) }),
	}
	if o.Server != nil {
		options = append(options, nats.InProcessServer(o.Server))
	}
	if !o.mayLeaveLoopback() {
		options = append(options, nats.IgnoreDiscoveredServers())
	}
	if o.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	return options
}

// Close ends the connection for good.
func (c *Conn) Close() { c.nats.Close() }

// Keyring returns what decides what is believed.
func (c *Conn) Keyring() *changelog.Keyring { return c.keys }

// Signer returns what signs, nil for those who only read.
func (c *Conn) Signer() *changelog.Signer { return c.signer }

// Connected reports whether there is a connection now. It proves nothing about
// the log. It takes no lock.
func (c *Conn) Connected() bool { return c.usable.Load() }

// StorageError returns [ErrDiskFull], with the place and what to do, while an
// embedded server cannot write to its disk; else nil. Nothing is published to its
// streams meanwhile: it would not answer.
func (c *Conn) StorageError() error {
	if c.storage == nil {
		return nil
	}
	return c.storage()
}

// Reconnects returns how many times a lost connection was made again.
func (c *Conn) Reconnects() uint64 { return c.reconnects.Load() }

// LastError returns the last thing that went wrong with the connection, or nil.
// It stays after the connection has come back.
func (c *Conn) LastError() error {
	if err := c.lastError.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *Conn) note(err error) {
	if err != nil {
		c.lastError.Store(&err)
	}
}

func (c *Conn) connected(conn *nats.Conn, what string) {
	c.usable.Store(conn.IsConnected())
	c.log.Info().Msg(what)
	c.probeAnew(conn)
	c.missed()
}

// disconnected may be called before Connect has returned, so it must not use
// c.nats.
func (c *Conn) disconnected(conn *nats.Conn, err error) {
	c.usable.Store(false)
	c.note(err)
	c.mu.Lock()
	c.lost(errLost)
	c.up, c.lost = context.WithCancelCause(context.Background())
	c.mu.Unlock()
	if !conn.IsClosed() {
		c.log.Warn().Err(err).Msg("disconnected from NATS")
	}
}

// within returns a context for one request: it ends with ctx, after timeout, or
// when the connection is lost.
func (c *Conn) within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, timeout)
	wait, lost := context.WithCancelCause(wait)
	stop := context.AfterFunc(up, func() { lost(errLost) })
	return wait, func() {
		stop()
		lost(nil)
		cancel()
	}
}

// failed is called for what no caller waits for: a refused subject, a subscription
// that was too slow.
func (c *Conn) failed(sub *nats.Subscription, err error) {
	if c.refusedProbe(err) {
		c.probed(true)
		return
	}
	c.note(err)
	event := c.log.Warn().Err(err)
	if sub != nil {
		event = event.Str("subject", sub.Subject)
	}
	event.Msg("NATS reported an error")
	if !errors.Is(err, nats.ErrPermissionViolation) {
		c.missed()
	}
}

// missed tells all listeners that messages may have been missed.
func (c *Conn) missed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.listeners {
		select {
		case l.missed <- struct{}{}:
		default: // it knows
		}
	}
}
