// Command sidecar answers feature-flag evaluations beside an application. Run it with --help for its options.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// How much garbage may stand beside what is in use, in percent. A start is to be quick; after it, the process is to be small beside its
// application, and collecting more often costs little, because evaluations allocate nothing. GOGC overrides both.
const (
	startGarbagePercent = 150
	garbagePercent      = 50
)

func main() {
	os.Exit(runUntilSignal())
}

// runUntilSignal runs the command until it ends or is told to; a second signal ends the process at once.
func runUntilSignal() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	remembered := func() {}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(startGarbagePercent)
		remembered = func() { debug.SetGCPercent(garbagePercent) }
	}
	return run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr, remembered)
}
