// Package natsserver runs the JetStream server that a publisher embeds: one
// node that stores the change logs and serves the sidecars.
package natsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/telemetry"
	flagsync "github.com/flagside/flagside/sync"
)

const (
	defaultName     = "flagside"
	defaultMaxStore = 64 << 30

	// writeDeadline is how long a client may block what is sent to it before it
	// is cut off: it comes back and repairs its gap.
	writeDeadline = 10 * time.Second
	// readyPoll is how often Ready looks, and readyLook how long it may take:
	// with less the server does not look at all.
	readyPoll = time.Millisecond
	readyLook = 100 * time.Microsecond
)

// Options configure an embedded server.
type Options struct {
	StoreDir string // directory of the streams, made when missing; required
	Addr     string // host:port, beyond loopback only with users and a certificate; port 0 takes a free one; required
	Name     string // stable name of the server; "" is "flagside"
	Domain   string // JetStream domain; "" is none
	MaxStore int64  // bytes of all streams together; 0 is 64 GiB
	// UsersFile has the users that are let in. "" lets clients on this machine be sidecars of the environment that they give as their user
	// name, and no others in. This and the files below are read again when they change.
	UsersFile string
	// UsersOptional means the same as without UsersFile while that does not exist.
	UsersOptional bool
	// CertificateFile and KeyFile are PEM files with which the server proves who it is; "" means no TLS.
	CertificateFile string
	KeyFile         string
	// ClientCAFile is a PEM file with authorities, of one of which every client needs a certificate then; "" asks for none.
	ClientCAFile string
	Logger       zerolog.Logger
}

// Server is an embedded JetStream server. Its methods are safe for concurrent
// use.
type Server struct {
	own   ownUser
	users *authenticator
	nats  *server.Server
	opts  *server.Options
	log   *logger
	done  chan struct{} // closed when Run has returned

	storage *storage
}

// New validates o. It opens nothing yet; only [Server.Run] does.
func New(o Options) (*Server, error) {
	opts, err := o.server()
	if err != nil {
		return nil, err
	}
	own := newOwnUser()
	users := newAuthenticator(o, own)
	opts.CustomClientAuthentication = users
	opts.AlwaysEnableNonce = true // for NKeys, of which the server itself knows none
	nats, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	disk := newStorage(o)
	l := &logger{log: o.Logger, repeats: telemetry.NewRepeats(o.Logger), storage: disk}
	users.repeats = l.repeats
	nats.SetLoggerV2(l, false, false, false)
	return &Server{own: own, users: users, nats: nats, opts: opts, log: l, done: make(chan struct{}), storage: disk}, nil
}

// Validate returns why New would refuse o, if it is for o and its files alone.
func (o Options) Validate() error {
	_, err := o.server()
	return err
}

// server returns o in the terms of NATS.
func (o Options) server() (*server.Options, error) {
	if o.StoreDir == "" {
		return nil, errors.New("embedded NATS server: no directory for its streams is given")
	}
	if o.MaxStore < 0 {
		return nil, fmt.Errorf("embedded NATS server: %d bytes of storage: give 0 (the default) or more", o.MaxStore)
	}
	if err := o.validateReach(); err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	host, digits, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: address %q: %w", o.Addr, err)
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: address %q: the port is not a number from 0 to 65535", o.Addr)
	}
	opts := &server.Options{
		ServerName:             o.Name,
		Host:                   host,
		Port:                   int(port),
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               o.StoreDir,
		JetStreamMaxStore:      o.MaxStore,
		JetStreamDomain:        o.Domain,
		SyncAlways:             true, // without it, acknowledged changes wait up to two minutes for the disk
		WriteDeadline:          writeDeadline,
		DisableJetStreamBanner: true,
	}
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	if opts.ServerName == "" {
		opts.ServerName = defaultName
	}
	if opts.JetStreamMaxStore == 0 {
		opts.JetStreamMaxStore = defaultMaxStore
	}
	if err := o.encrypt(opts); err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return opts, nil
}

// Run serves until ctx ends, then shuts down and returns when everything is on
// disk and all goroutines are gone. It returns an error when the server cannot
// start or stops by itself. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.done)
	defer s.log.repeats.Close()
	s.users.load()
	s.nats.Start()
	accounts, err := newAccounts(s.nats)
	if err != nil && s.log.failure() == nil {
		s.log.Fatalf("%v", err)
	}
	s.users.open(accounts)
	watched, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { s.users.watch(watched) })
	watching.Go(func() { s.storage.run(watched, s.nats, s.opts) })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.nats.WaitForShutdown()
	}()
	select {
	case <-ctx.Done():
	case <-stopped:
	case <-s.log.failed():
	}
	cancel()
	watching.Wait() // before the server ends, so that no JetStream is started in it any more
	s.nats.Shutdown()
	<-stopped
	if ctx.Err() != nil {
		return nil
	}
	return s.failure()
}

// Ready waits until clients are served. It fails when ctx ends before that or
// the server cannot start.
func (s *Server) Ready(ctx context.Context) error {
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for !s.opened() || !s.nats.ReadyForConnections(readyLook) {
		select {
		case <-poll.C:
		case <-s.done:
			return s.failure()
		case <-ctx.Done():
			return fmt.Errorf("embedded NATS server: not ready: %w", ctx.Err())
		}
	}
	return nil
}

// opened reports whether clients are let in.
func (s *Server) opened() bool {
	select {
	case <-s.users.ready:
		return s.log.failure() == nil
	default:
		return false
	}
}

func (s *Server) failure() error {
	if err := s.log.failure(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", listen.InUse(err, "--nats-addr"))
	}
	return errors.New("embedded NATS server: it has stopped")
}

// User returns the name and the password by which the publisher of this process is let in, whatever the file of users says.
func (s *Server) User() (name, password string) { return s.own.name, s.own.password }

// AllowEnvironment lets publishers create the streams of an environment, and purge its old snapshots. Those that users are for are
// allowed by themselves. The server must be ready.
func (s *Server) AllowEnvironment(name string) error {
	if err := flagsync.ValidateEnvironment(name); err != nil {
		return err
	}
	return s.users.allow(name)
}

// UsersError returns why the newest file of users is not in force, or nil.
func (s *Server) UsersError() error { return s.users.file.Err() }

// ClientURL returns the address for clients. It is final once Ready has
// returned nil.
func (s *Server) ClientURL() string { return s.nats.ClientURL() }

// InProcessConn returns a connection that needs no network. It fails while the
// server does not run.
func (s *Server) InProcessConn() (net.Conn, error) {
	conn, err := s.nats.InProcessConn()
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return conn, nil
}
