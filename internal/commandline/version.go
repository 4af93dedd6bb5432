package commandline

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/telemetry"
)

// VersionCommand returns the command that prints the version of a program.
func VersionCommand(program string) Command {
	return Command{
		Words: []string{"version"}, Short: "print the version", Examples: []string{"version"},
		New: func() Invocation {
			return Invocation{
				Set: config.NewSet(program+" version", "Prints the version; in further lines the commit and its time, the Go compiler and the platform."),
				Run: func(_ context.Context, t Terminal) error {
					_, err := fmt.Fprint(t.Stdout, telemetry.ThisBuild())
					return err
				},
			}
		},
	}
}
