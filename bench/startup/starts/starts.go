// Package starts measures how long a sidecar takes from the start of its process until it is ready, and the memory that it then holds.
package starts

import (
	"context"
	"os"
	"path/filepath"
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

const environment = "bench"

// Publish runs a publisher whose environment has the flags of a file, of which there are so many, with its data in a new directory, and returns where sidecars of it start. The caller
// ends the process, also with an error.
func Publish(ctx context.Context, b process.Binaries, dataDir string, file []byte, flags int, core cores.Core) (*process.Process, Place, error) {
	name := dataDir + ".json"
	if err := os.WriteFile(name, file, 0o600); err != nil {
		return nil, Place{}, err
	}
	addresses, err := process.FreeAddresses(4)
	if err != nil {
		return nil, Place{}, err
	}
	p, err := process.Start(b.Flagside, "dev", "--environment", environment,
		"--ofrep-addr", addresses[0], "--management-addr", addresses[1], "--flagd-addr", "off", "--flagd-sync-addr", "off",
		"--admin-addr", addresses[2], "--nats-addr", addresses[3], "--data-dir", dataDir, name)
	if err != nil {
		return nil, Place{}, err
	}
	own := process.Sidecar{Process: p, Management: addresses[1]}
	if err := own.AwaitReady(ctx); err != nil {
		return p, Place{}, err
	}
	trust := filepath.Join(dataDir, "trust")
	return p, Place{Binaries: b, Environment: environment, NATS: addresses[3], TrustFile: trust, Core: core}, own.AwaitFlags(ctx, flags)
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

// Settle is how long a sidecar is left alone before its memory is read: what
// the start took is given back to the system by then.
const Settle = 3 * time.Second
