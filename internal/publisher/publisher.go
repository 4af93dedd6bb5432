// Package publisher is the flagside publisher as a value: it keeps the change logs of environments, in a JetStream of its own or in an
// external one, announces their heads, and serves the API that changes them.
//
// # Concurrency properties
//
// A Publisher is safe for concurrent use, but Run may be called only once. Methods that need the change logs wait until Run has
// reached them.
package publisher

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/internal/publisher/usage/sinks"
	"github.com/flagside/flagside/internal/publisher/webhook"
	"github.com/flagside/flagside/internal/telemetry"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// shutdownTimeout is how long requests in flight may take once the publisher stops. A write is decided within it.
const shutdownTimeout = 20 * time.Second

// Publisher is one publisher. Create it with New.
type Publisher struct {
	options      Options
	logger       zerolog.Logger
	lock         *dataDirLock             // of the data directory; nil when the NATS server is elsewhere
	server       *natsserver.Server       // nil when the NATS server is elsewhere
	local        *flagsync.ConnectOptions // of a command beside a publisher that runs; else nil
	completing   bool                     // the data directory may be one that is being filled
	keys         *keys.Watcher
	listener     net.Listener
	http         *http.Server
	environments *environments
	streams      *streamChecks
	journals     *ledgerChecks
	gate         *gate
	sources      []*following.Follower
	webhooks     *webhook.Service
	sessions     *session.Sessions // nil without the console
	stopping     chan struct{}     // closed when the API ends
	sinks        *sinks.Service
	checkpoints  checkpoints
	repeats      *telemetry.Repeats
	refused      prometheus.Counter // connections of the API that were closed at once
	busy         prometheus.Counter // requests to the API that there was no memory for
}

// New validates the options, takes the data directory and opens the listener of the API. It starts nothing; Close undoes it.
func New(o Options) (*Publisher, error) {
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	p := &Publisher{options: o, stopping: make(chan struct{}), logger: o.Logger, refused: newRefused(), busy: newBusy(), repeats: telemetry.NewRepeats(o.Logger)}
	for _, prepare := range []func() error{o.verifyFiles, p.prepareDataDir, p.prepareKeys, p.prepareServer, p.prepareGate, p.prepareSources, p.prepareAPI} {
		if err := prepare(); err != nil {
			return nil, errors.Join(fmt.Errorf("publisher: %w", err), p.Close())
		}
	}
	return p, nil
}

// prepareDataDir takes the data directory, if there is to be one.
func (p *Publisher) prepareDataDir() (err error) {
	if p.options.NATS != "" {
		return nil
	}
	if p.lock, err = p.options.lockDataDir(); err == nil && !p.completing {
		err = verifyComplete(p.options.DataDir)
	}
	return err
}

// prepareServer prepares the embedded NATS server, if there is to be one.
func (p *Publisher) prepareServer() (err error) {
	if p.options.NATS != "" {
		return nil
	}
	p.server, err = natsserver.New(p.options.server())
	return err
}

// prepareGate makes what knows callers, in the data directory that this publisher has taken.
func (p *Publisher) prepareGate() (err error) {
	if p.gate, err = newGate(p.options); err == nil {
		p.environments = newEnvironments(p.options, p.gate)
		p.environments.server = p.server
		p.streams = newStreamChecks(p.environments, p.logger)
		p.journals = newLedgerChecks(p.environments)
	}
	return err
}

// prepareAPI opens the listener of the API and makes its handlers.
func (p *Publisher) prepareAPI() (err error) {
	p.listener, err = listen.Open(context.Background(), listen.Options{
		Addr: p.options.AdminAddr, Option: "--admin-addr", TLS: p.options.adminTLS(), MaxConnections: maxConnections, WriteStall: writeStall,
		Refused: p.refused.Inc, Logger: p.logger,
	})
	if err != nil {
		return fmt.Errorf("admin address: %w", err)
	}
	handler, err := p.handler()
	if err != nil {
		return err
	}
	p.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxRequests},
		ConnContext:       admin.WithClient,
		ErrorLog:          log.New(p.logger, "", 0),
	}
	p.http.RegisterOnShutdown(sync.OnceFunc(func() { close(p.stopping) }))
	if !p.options.adminTLS().Enabled() {
		p.http.Protocols = new(http.Protocols)
		p.http.Protocols.SetHTTP1(true)
	}
	return nil
}

// Close undoes New for a publisher that was never run. It is not needed after Run.
func (p *Publisher) Close() error {
	var errs []error
	p.repeats.Close()
	if p.listener != nil {
		errs = append(errs, p.listener.Close())
	}
	return errors.Join(append(errs, p.unlock())...)
}

func (p *Publisher) unlock() error {
	if p.lock == nil {
		return nil
	}
	return p.lock.Close()
}

// AdminAddr returns the address of the API.
func (p *Publisher) AdminAddr() net.Addr { return p.listener.Addr() }

// NATSURL returns the address of NATS for sidecars. That of an embedded server is known once Ready has returned nil.
func (p *Publisher) NATSURL() string {
	if p.server == nil {
		return p.options.NATS
	}
	return p.server.ClientURL()
}

// InProcessConn returns a connection to the embedded server that needs no network.
func (p *Publisher) InProcessConn() (net.Conn, error) {
	if p.server == nil {
		return nil, errors.New("publisher: the NATS server is not in this process")
	}
	return p.server.InProcessConn()
}

// Ready waits until the API tokens and the environments are known, and all environments that can be are followed.
func (p *Publisher) Ready(ctx context.Context) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		err := p.unready()
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("publisher: not ready: %w", err)
		}
	}
}

// unready returns what is missing until requests can be answered, or nil.
func (p *Publisher) unready() error {
	if _, err := p.gate.tokens.List(); err != nil {
		return err
	}
	return p.environments.unready()
}

// Environments returns all environments, archived ones too, by name.
func (p *Publisher) Environments(ctx context.Context) ([]writer.Environment, error) {
	return p.environments.List(ctx)
}

// Create creates an environment and starts to follow it. The empty compatibility means that of the options.
func (p *Publisher) Create(ctx context.Context, name, actor string, c eval.Compatibility) (writer.Environment, error) {
	return p.environments.Create(ctx, name, writer.Order{Actor: actor}, c)
}

// Overwrite makes the documents the only ones of an environment, as a new epoch, whatever has become of its log. Its streams are created again if
// they are gone. It is for a caller that has the truth elsewhere.
func (p *Publisher) Overwrite(ctx context.Context, name string, origin decide.Origin, documents []document.Document) error {
	return p.environments.overwrite(ctx, name, origin, documents)
}

// Control returns what reads and changes an environment.
func (p *Publisher) Control(ctx context.Context, name string) (*control.Service, error) {
	return p.environments.Control(ctx, name)
}

// Run keeps the logs and answers the API until ctx ends. Then it first decides the requests in flight, and stops the NATS server last.
// It returns when every goroutine that it started is gone; nil if ctx ended it.
func (p *Publisher) Run(ctx context.Context) error {
	parts, ctx := lifecycle.New(ctx)
	err := p.start(ctx, parts)
	if err == nil {
		<-ctx.Done()
	}
	err = errors.Join(err, parts.Stop())
	p.repeats.Close()
	_ = p.listener.Close() // fails if the API was started and has closed it already
	return errors.Join(err, p.unlock())
}

// start starts the parts from the bottom up.
func (p *Publisher) start(ctx context.Context, parts *lifecycle.Group) error {
	begin := func(name string, run func(context.Context) error) {
		parts.Start(lifecycle.Part{Name: name, Run: run})
	}
	if p.server != nil {
		begin("publisher", p.server.Run)
		if err := p.server.Ready(ctx); err != nil {
			return nil //nolint:nilerr // it is the end of ctx, or of the server, which tells why
		}
	}
	conn, err := flagsync.Connect(ctx, p.connectOptions())
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	begin("publisher: connection", func(ctx context.Context) error {
		<-ctx.Done()
		conn.Close()
		return nil
	})
	if p.server != nil {
		begin("publisher: local socket", p.serveLocal)
	}
	begin("publisher: keys", p.keys.Run)
	begin("publisher: tokens", func(ctx context.Context) error { return p.followTokens(ctx, conn) })
	begin("publisher: persons", func(ctx context.Context) error { return p.followPeople(ctx, conn) })
	begin("publisher: administration", func(ctx context.Context) error { return p.followActs(ctx, conn) })
	if p.sessions != nil {
		begin("publisher: sessions", func(ctx context.Context) error { return p.keepSessions(ctx, conn) })
	}
	begin("publisher: policies", p.followPolicy)
	if p.options.CheckpointFile != "" { // which ends after the environments, and so names their last heads
		begin("publisher: checkpoints", p.keepCheckpoints)
	}
	begin("publisher: environments", func(ctx context.Context) error { return p.environments.run(ctx, conn) })
	begin("publisher: sources", p.followSources)
	begin("publisher: streams", p.streams.run)
	begin("publisher: journals", p.journals.run)
	if p.options.Webhooks != "" {
		begin("publisher: webhooks", func(ctx context.Context) error { return p.webhooks.Run(ctx, conn) })
	}
	if p.options.UsageSinks != "" {
		begin("publisher: usage sinks", func(ctx context.Context) error { return p.sinks.Run(ctx, conn) })
	}
	begin("publisher: conditions", func(ctx context.Context) error { return p.watchConditions(ctx, conn) })
	begin("publisher: API", p.serve)
	up := p.logger.Info().Str("admin", p.AdminAddr().String())
	if p.server != nil { // the address of another server may contain a password
		up = up.Str("nats", p.NATSURL())
	}
	up.Msg("publisher started")
	if p.gate.tokensOnly {
		p.logger.Info().Msg("API needs a token: create the first one with the token in --admin-token-file, or sign in with one of --issuers")
	}
	return nil
}

func (p *Publisher) connectOptions() flagsync.ConnectOptions {
	if p.server == nil {
		o := p.options.connection()
		if p.local != nil {
			o = *p.local
		}
		o.Keyring, o.Signer = p.keys.Keyring(), p.keys.Current()
		return o
	}
	o := flagsync.ConnectOptions{
		Server: p.server, Name: connectionName, Keyring: p.keys.Keyring(), Signer: p.keys.Current(), Logger: p.logger,
		Storage: p.server.StorageError, ProbeStorage: p.server.ProbeStorage,
	}
	o.User, o.Password = p.server.User()
	return o
}

// serve answers HTTP until ctx ends, and then those requests that are in flight.
func (p *Publisher) serve(ctx context.Context) error {
	return listen.Serve(ctx, p.http, p.listener, shutdownTimeout)
}
