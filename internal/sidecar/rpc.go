package sidecar

import (
	"context"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/tokens"
	"github.com/flagside/flagside/sync/status"
)

// rpc is what serves the providers of flagd.
type rpc struct {
	documents *flagd.Documents
	metrics   *flagd.Metrics
	tokens    *tokens.File // nil if no one is asked for one
	faces     []*rpcFace
}

// rpcFace is one port.
type rpcFace struct {
	name     string
	addr     string
	option   string // that has the address
	server   *flagd.Server
	listener net.Listener // nil if the port is off
}

// The names of the ports.
const (
	faceEvaluation = "flagd"
	faceSync       = status.FaceSync
)

// assembleRPC makes what serves the providers of flagd, and opens nothing.
func (s *Sidecar) assembleRPC(registry prometheus.Registerer) error {
	metrics, err := flagd.NewMetrics(registry)
	if err != nil {
		return err
	}
	s.rpc = rpc{
		documents: flagd.NewDocuments(s.store, flagd.StaticContext(s.options.Context.Static), s.logger),
		metrics:   metrics,
	}
	if s.options.FlagdAuthFile != "" {
		if s.rpc.tokens, err = tokens.Open(s.options.FlagdAuthFile, s.logger); err != nil {
			return fmt.Errorf("flagd tokens: %w", err)
		}
	}
	o := flagd.Options{
		Resolver: s.resolver, Feed: s.feed, Documents: s.rpc.documents, Tokens: s.rpc.tokens, Ready: s.Ready, Hosts: s.options.Hosts, Budget: s.options.InFlight,
		Grace: drainTime, Metrics: metrics, Logger: s.logger,
	}
	s.rpc.faces = []*rpcFace{
		{name: faceEvaluation, addr: s.options.FlagdAddr, option: "--flagd-addr", server: flagd.NewEvaluation(o)},
		{name: faceSync, addr: s.options.FlagdSyncAddr, option: "--flagd-sync-addr", server: flagd.NewSync(o)},
	}
	return nil
}

// listenRPC opens the ports that are not off.
func (s *Sidecar) listenRPC() error {
	for _, face := range s.rpc.faces {
		if face.addr == "" || face.addr == listen.Off {
			continue
		}
		l, err := listen.Open(context.Background(), listen.Options{
			Addr: face.addr, Option: face.option, Mode: s.options.SocketMode, TLS: s.options.TLS, Logger: s.logger,
			MaxConnections: flagd.DefaultMaxConnections, Refused: func() { s.rpc.metrics.Refused(face.name) },
		})
		if err != nil {
			s.rpc.close()
			return fmt.Errorf("%s: %w", face.name, err)
		}
		face.listener = l
	}
	return nil
}

// parts returns what runs each port that is open, and what keeps their tokens current.
func (r *rpc) parts() (parts []lifecycle.Part) {
	if r.tokens != nil {
		parts = append(parts, lifecycle.Part{Name: "tokens", Run: r.tokens.Run})
	}
	for _, face := range r.faces {
		if face.listener != nil {
			run := func(ctx context.Context) error { return face.server.Run(ctx, face.listener) }
			parts = append(parts, lifecycle.Part{Name: face.name, Run: run})
		}
	}
	return parts
}

// close closes the listeners, which their servers may have done already.
func (r *rpc) close() {
	for _, face := range r.faces {
		if face.listener != nil {
			face.listener.Close()
		}
	}
}

// addr returns the address of a port, nil if it is off.
func (r *rpc) addr(name string) net.Addr {
	for _, face := range r.faces {
		if face.name == name && face.listener != nil {
			return face.listener.Addr()
		}
	}
	return nil
}

// FlagdAddr returns the address of flagd.evaluation, nil if it is off.
func (s *Sidecar) FlagdAddr() net.Addr { return s.rpc.addr(faceEvaluation) }

// FlagdSyncAddr returns the address of flagd.sync, nil if it is off.
func (s *Sidecar) FlagdSyncAddr() net.Addr { return s.rpc.addr(faceSync) }
