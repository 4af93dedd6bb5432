package fan

import (
	"errors"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// usedCPU returns the processor time that the publisher and this process have
// used since they began.
func usedCPU(p *process.Publisher) (publisher, here time.Duration, err error) {
	if publisher, err = p.CPU(); err != nil {
		return 0, 0, err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, 0, err
	}
	return publisher, time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// profile writes a CPU profile of this process until the returned function is
// called.
func profile(path string) (stop func() error, err error) {
	file, err := os.Create(path) // #nosec G304 -- where the caller of the command wants it
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
