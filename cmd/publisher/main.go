// Command publisher keeps the change logs of environments and decides on changes. Its sub-command serve is internal/publisher with options and
// signals; the others work beside its data directory.
//
// Run it with --help for its sub-commands. docs/configuration.md lists their options.
package main

import (
	"context"
	"os"

	"github.com/flagside/flagside/internal/cgroup"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/ending"
)

// memoryPercent is how much of the memory that the process may have the Go runtime uses before it collects garbage at any price. GOMEMLIMIT overrides
// it.
const memoryPercent = 90

func main() {
	cgroup.LimitMemory(memoryPercent)
	os.Exit(ending.OnSignal(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], commandline.Terminal{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	}))
}
