package sidecar

import (
	"context"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar/gate"
)

// hasGate reports whether proxies are answered.
func (o Options) hasGate() bool { return o.GateAddr != "" && o.GateAddr != listen.Off }

// assembleGate makes what answers proxies, if they are to be answered.
func (s *Sidecar) assembleGate(registry prometheus.Registerer) (err error) {
	if !s.options.hasGate() {
		return nil
	}
	o := s.options.Gate
	o.Resolver, o.Views, o.Metrics, o.Logger = s.resolver, s.store, registry, s.logger
	s.gate, err = gate.New(o)
	return err
}

// listenGate opens the port of the gate.
func (s *Sidecar) listenGate() (err error) {
	if s.gate == nil {
		return nil
	}
	s.gateListener, err = listen.Open(context.Background(), listen.Options{
		Addr: s.options.GateAddr, Option: "--gate-addr", Mode: s.options.SocketMode, TLS: s.options.TLS, HTTP1Only: true,
		MaxConnections: gate.MaxConnections, Logger: s.logger,
	})
	if err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	return nil
}

// gatePart returns what runs the gate.
func (s *Sidecar) gatePart() (parts []lifecycle.Part) {
	if s.gate != nil {
		parts = append(parts, lifecycle.Part{Name: "gate", Run: func(ctx context.Context) error { return s.gate.Run(ctx, s.gateListener, drainTime) }})
	}
	return parts
}

// GateAddr returns the address that proxies are answered on, nil if they are not.
func (s *Sidecar) GateAddr() net.Addr {
	if s.gateListener == nil {
		return nil
	}
	return s.gateListener.Addr()
}
