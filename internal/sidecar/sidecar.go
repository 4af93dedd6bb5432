// Package sidecar is the flagside sidecar as a value: it follows the change log of one environment and answers feature-flag
// evaluations beside the application, whatever becomes of the log.
//
// # Concurrency properties
//
// A Sidecar is safe for concurrent use, but Run may be called only once.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Sidecar is one sidecar. Create it with New.
type Sidecar struct {
	options            Options
	ofrepListener      net.Listener
	managementListener net.Listener
}

// New validates the options and opens the listeners, so that their addresses are known. It starts nothing: connections wait in the
// listeners' queues until Run. Close undoes it.
func New(o Options) (*Sidecar, error) {
	if o.OFREPAddr == "" {
		o.OFREPAddr = DefaultOFREPAddr
	}
	if o.ManagementAddr == "" {
		o.ManagementAddr = DefaultManagementAddr
	}
	ofrepListener, err := net.Listen("tcp", o.OFREPAddr)
	if err != nil {
		return nil, fmt.Errorf("OFREP: %w", err)
	}
	managementListener, err := net.Listen("tcp", o.ManagementAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("management: %w", err), ofrepListener.Close())
	}
	return &Sidecar{options: o, ofrepListener: ofrepListener, managementListener: managementListener}, nil
}

// Close undoes New for a sidecar that was never run. It is not needed after Run.
func (s *Sidecar) Close() error {
	return errors.Join(s.ofrepListener.Close(), s.managementListener.Close())
}

// OFREPAddr returns the address that OFREP requests are answered on.
func (s *Sidecar) OFREPAddr() net.Addr { return s.ofrepListener.Addr() }

// ManagementAddr returns the address of the management server.
func (s *Sidecar) ManagementAddr() net.Addr { return s.managementListener.Addr() }

// Ready reports whether the sidecar answers evaluations from a complete set of flags.
func (s *Sidecar) Ready() bool { return false }

// Run answers evaluations and follows the log until ctx ends, then drains what is in flight. It returns when every goroutine that it
// started is gone; nil if ctx ended it.
func (s *Sidecar) Run(ctx context.Context) error {
	<-ctx.Done()
	return s.Close()
}
