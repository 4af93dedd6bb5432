// Package starts measures how long a sidecar takes from the start of its process until it is ready, and the memory that it then holds.
package starts

import (
	"context"
	"time"

	"github.com/flagside/flagside/bench/cores"
	"github.com/flagside/flagside/internal/process"
)

// Place is where sidecars start.
type Place struct {
	process.Binaries
	Environment string
	NATS        string // host:port of the server
	TrustFile   string
	Core        cores.Core // that sidecars run on
}

// Sidecar runs a sidecar and does not wait for anything. It stores nothing if dataDir is empty.
func (p Place) Sidecar(nats, dataDir string) (s *process.Sidecar, err error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	err = p.Core.Start(func() error {
		s, err = p.StartSidecar(p.Environment, nats, dataDir, addresses[0], addresses[1], "--trust-file", p.TrustFile)
		return err
	})
	return s, err
}

// Measure measures one start. The sidecar is stopped in order, so that its disk is complete for the next one.
func (p Place) Measure(ctx context.Context, dataDir string) (ready time.Duration, resident int64, err error) {
	begin := time.Now()
	s, err := p.Sidecar(p.NATS, dataDir)
	if err != nil {
		return 0, 0, err
	}
	defer s.Kill()
	if err := s.AwaitReady(ctx); err != nil {
		return 0, 0, err
	}
	ready = time.Since(begin)
	time.Sleep(Settle)
	if resident, err = s.ResidentBytes(); err != nil {
		return 0, 0, err
	}
	return ready, resident, s.Stop(10 * time.Second)
}

// Settle is how long a sidecar is left alone before its memory is read: the flags are compiled, and what
// the start took is given back to the system by then.
const Settle = 6 * time.Second
