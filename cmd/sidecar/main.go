// Command sidecar answers feature-flag evaluations beside an application. Run it with --help for its options.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// garbagePercent keeps the process small beside its application. Evaluations allocate nothing, so collecting more often costs little.
const garbagePercent = 50

func main() {
	os.Exit(runUntilSignal())
}

// runUntilSignal runs the command until it ends or is told to; a second signal ends the process at once.
func runUntilSignal() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	return run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
}
