// Package measure begins and ends a measurement: it builds the programs into a directory of their own, which it removes at the end.
package measure

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// Site is where something is measured.
type Site struct {
	process.Binaries

	// Dir is an empty directory but for the programs. It is removed at the end.
	Dir string
}

// Run builds the programs and measures with them, for at most limit. It returns the exit code of the command, whose name begins the error that it prints.
func Run(name string, limit time.Duration, do func(context.Context, Site) error) int {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := run(ctx, name, do); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

func run(ctx context.Context, name string, do func(context.Context, Site) error) error {
	dir, err := os.MkdirTemp("", "flagside-"+name+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries, err := process.Build(ctx, dir)
	if err != nil {
		return err
	}
	return do(ctx, Site{binaries, dir})
}
