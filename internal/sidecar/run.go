package sidecar

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/lifecycle"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// Run answers evaluations and follows the log until ctx ends. It returns when every goroutine that it started is gone: nil if ctx ended
// it, otherwise what made going on impossible. That nothing can be reached is no reason to end.
//
// What was known when the last process ended is loaded before the first evaluation is answered, and if the log can be reached, what has
// changed since is waited for as long as the options allow; requests that come before are answered then. At the end, readiness goes first; then
// requests that are being answered get their time, the same on all ports, what was counted is sent, following stops, the state is written to disk, the connection is closed, and the
// management server goes last.
func (s *Sidecar) Run(ctx context.Context) error {
	s.warnAboutReach()
	parts, ctx := lifecycle.New(ctx)
	parts.Start(lifecycle.Part{Name: "management", Run: func(ctx context.Context) error { return s.management.Run(ctx, s.managementListener) }})
	s.remember()
	parts.Start(lifecycle.Part{Name: "conditions", Run: s.watch})
	parts.Start(lifecycle.Part{Name: "connection", Run: s.disconnectAtEnd})
	parts.Start(lifecycle.Part{Name: "store", Run: s.store.Run})
	parts.Start(lifecycle.Part{Name: "log", Run: s.follow})
	if s.reporter != nil {
		parts.Start(lifecycle.Part{Name: "status reports", Run: once(s.compiled, s.reporter.Run)})
	}
	if s.events != nil {
		parts.Start(lifecycle.Part{Name: "exposures", Run: s.events.Run})
	}
	if s.usage != nil { // what is counted last is sent once all is answered, and before the connection is closed
		parts.Start(lifecycle.Part{Name: "usage", Run: s.usage.Run})
	}
	if s.preview != nil { // what is remembered is overwritten when nothing is answered any more
		parts.Start(lifecycle.Part{Name: "impact preview", Run: s.preview.Run})
	}
	parts.Start(lifecycle.Part{Name: "resolver", Run: s.resolver.Run})
	parts.Start(lifecycle.Part{Name: "changes", Run: once(s.compiled, s.feed.Run)})
	parts.Start(lifecycle.Part{Name: "compilation", Run: once(s.caughtUp, s.compile)})
	s.catchUp(ctx)
	parts.Start(s.faces()...)
	s.logger.Info().Str("environment", s.options.Environment).Stringer("ofrep", s.OFREPAddr()).
		Stringer("management", s.ManagementAddr()).Str("serving", string(s.facts().serving())).Msg("sidecar started")

	<-ctx.Done()
	s.draining.Store(true)
	s.logger.Info().Msg("stopping")
	return errors.Join(parts.Stop(), s.release())
}

// faces returns what runs each port of applications. They start and stop together, so that at the end all of them share one time to answer.
func (s *Sidecar) faces() []lifecycle.Part {
	ofrep := lifecycle.Part{Name: "OFREP", Run: func(ctx context.Context) error { return s.ofrep.Run(ctx, s.ofrepListener) }}
	return append(append(s.rpc.parts(), s.gatePart()...), ofrep)
}

// warnAboutReach tells when other machines can reach a port, because nothing there checks who asks.
func (s *Sidecar) warnAboutReach() {
	for name, addr := range map[string]net.Addr{
		"ofrep": s.OFREPAddr(), "management": s.ManagementAddr(), "gate": s.GateAddr(), "gate-grpc": s.GateGRPCAddr(), faceEvaluation: s.FlagdAddr(), faceSync: s.FlagdSyncAddr(),
	} {
		if addr == nil || addr.Network() == "unix" || s.asks(name) {
			continue
		}
		if config.LoopbackOnly(addr.String()) != nil {
			s.logger.Warn().Str("server", name).Stringer("address", addr).
				Msg("other machines can reach this address without authentication: protect it, or listen on a loopback address")
		}
	}
}

// asks reports whether a port checks who asks.
func (s *Sidecar) asks(port string) bool {
	switch port {
	case "management":
		return false
	case "gate", "gate-grpc":
		return s.options.TLS.ClientCA != ""
	case "ofrep":
		return s.options.TLS.ClientCA != "" || s.options.OFREPAuthFile != ""
	default:
		return s.options.TLS.ClientCA != "" || s.options.FlagdAuthFile != ""
	}
}

// remember loads what an earlier process left on disk, otherwise the bootstrap file. Neither is needed to go on.
func (s *Sidecar) remember() {
	source, err := s.store.Restore()
	if err != nil {
		s.logger.Error().Err(err).Msg("data directory not used")
	}
	if source != cache.SourceEmpty || s.options.BootstrapFile == "" {
		return
	}
	if err := s.store.LoadBootstrap(s.options.BootstrapFile); err != nil {
		s.bootstrap.Store(&err)
		s.logger.Error().Err(err).Msg("bootstrap file not used")
	}
}

// follow keeps the store current with the log. It blocks while the first server is dialled, so it must not keep evaluations waiting.
func (s *Sidecar) follow(ctx context.Context) error {
	conn, err := flagsync.Connect(ctx, s.options.connection(s.keys))
	if err != nil {
		return err
	}
	follower, err := follow.New(conn, s.propagation, follow.Options{
		Environment:    s.options.Environment,
		BarrierSpacing: s.options.BarrierSpacing,
		Logger:         s.logger,
	})
	if err != nil {
		conn.Close()
		return err
	}
	s.link.Store(&link{conn: conn, follower: follower, since: time.Now()})
	defer s.hearQuestions(conn)()
	err = follower.Run(ctx)
	s.keepComplete()
	return err
}

// disconnectAtEnd closes the connection when ctx ends.
func (s *Sidecar) disconnectAtEnd(ctx context.Context) error {
	<-ctx.Done()
	if l := s.link.Load(); l != nil {
		l.conn.Close()
	}
	return nil
}
