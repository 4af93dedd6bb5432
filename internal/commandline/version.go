package commandline

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/flagside/flagside/internal/config"
)

// Version returns the version that the program was built from.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

// VersionCommand returns the command that prints the version of a program.
func VersionCommand(program string) Command {
	return Command{
		Words: []string{"version"}, Short: "print the version", Examples: []string{"version"},
		New: func() Invocation {
			return Invocation{
				Set: config.NewSet(program+" version", "Prints the version."),
				Run: func(_ context.Context, t Terminal) error {
					_, err := fmt.Fprintln(t.Stdout, Version())
					return err
				},
			}
		},
	}
}
