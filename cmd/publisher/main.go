// Command publisher keeps the change logs of environments and decides on changes. Its sub-command serve is internal/publisher with options
// and signals, dev is that and a sidecar in one process, and most others are clients of the API of a publisher that runs.
//
// Run it with --help for its sub-commands. docs/configuration.md lists the options of the programs, docs/cli.md those of the clients.
package main

import (
	"context"
	"os"

	"github.com/flagside/flagside/internal/ending"
)

func main() {
	os.Exit(ending.OnSignal(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], terminal{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr})
	}))
}
