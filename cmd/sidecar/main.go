// Command sidecar answers feature-flag evaluations beside an application, over OFREP and flagd's protocols, from what it knows of one
// environment's change log. It is internal/sidecar with options and signals; its sub-commands healthz and readyz are for probes.
//
// Run it with --help for its options, which docs/configuration.md lists.
package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/flagside/flagside/internal/cgroup"
	"github.com/flagside/flagside/internal/ending"
)

// memoryPercent is how much of the memory that the process may have the Go runtime uses before it collects garbage at any price. The rest is for the
// program itself and for what the system keeps for it. GOMEMLIMIT overrides it.
const memoryPercent = 80

// startTime is how long after its flags are compiled the start of a sidecar is over.
const startTime = 2 * time.Second

func main() {
	os.Exit(ending.OnSignal(runUntil))
}

// runUntil runs the command until it ends or ctx does.
func runUntil(ctx context.Context) int {
	cgroup.LimitMemory(memoryPercent)
	unset := os.Getenv("GOGC") == ""
	if unset {
		debug.SetGCPercent(startGarbagePercent)
	}
	return run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr, func() {
		if unset {
			debug.SetGCPercent(garbagePercent)
		}
		time.AfterFunc(startTime, func() {
			debug.FreeOSMemory()
			if unset {
				limitGarbage()
			}
			_ = forgetStart() // what cannot be forgotten stays
		})
	})
}
