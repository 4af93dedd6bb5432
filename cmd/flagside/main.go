// Command flagside is what people type: it serves flags on one machine for trying (dev), and reads and changes them at a publisher.
//
// Run it with --help for its sub-commands. docs/cli.md lists them.
package main

import (
	"context"
	"os"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/ending"
)

func main() {
	os.Exit(ending.OnSignal(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], commandline.Terminal{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	}))
}
