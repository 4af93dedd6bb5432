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
func (o Options) hasGate() bool { return isOn(o.GateAddr) || isOn(o.GateGRPCAddr) }

// isOn reports whether something listens at an address.
func isOn(addr string) bool { return addr != "" && addr != listen.Off }

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

// listenGate opens the ports of the gate.
func (s *Sidecar) listenGate() (err error) {
	if s.gateListeners.HTTP, err = s.openGate(s.options.GateAddr, "--gate-addr", true); err != nil {
		return err
	}
	if s.gateListeners.GRPC, err = s.openGate(s.options.GateGRPCAddr, "--gate-grpc-addr", false); err != nil {
		s.closeGate()
	}
	return err
}

// openGate opens a port of the gate; it returns nil if that is off.
func (s *Sidecar) openGate(addr, option string, http1Only bool) (net.Listener, error) {
	if !isOn(addr) {
		return nil, nil
	}
	l, err := listen.Open(context.Background(), listen.Options{
		Addr: addr, Option: option, Mode: s.options.SocketMode, TLS: s.options.TLS, HTTP1Only: http1Only, MaxConnections: gate.MaxConnections, Logger: s.logger,
	})
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	return l, nil
}

// closeGate closes the listeners, which their servers may have done already.
func (s *Sidecar) closeGate() {
	for _, l := range []net.Listener{s.gateListeners.HTTP, s.gateListeners.GRPC} {
		if l != nil {
			l.Close()
		}
	}
}

// gatePart returns what runs the gate.
func (s *Sidecar) gatePart() (parts []lifecycle.Part) {
	if s.gate != nil {
		parts = append(parts, lifecycle.Part{Name: "gate", Run: func(ctx context.Context) error { return s.gate.Run(ctx, s.gateListeners, drainTime) }})
	}
	return parts
}

// GateAddr returns the address that proxies are answered on over HTTP, nil if they are not.
func (s *Sidecar) GateAddr() net.Addr { return addrOf(s.gateListeners.HTTP) }

// GateGRPCAddr returns the address that proxies are answered on over gRPC, nil if they are not.
func (s *Sidecar) GateGRPCAddr() net.Addr { return addrOf(s.gateListeners.GRPC) }

func addrOf(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}
