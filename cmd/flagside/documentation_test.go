package main

import (
	"testing"

	"github.com/flagside/flagside/internal/config/documented"
)

// What asks a publisher is in docs/cli.md, the rest in docs/configuration.md.
func TestOptionsAreDocumented(t *testing.T) {
	documented.Check(t, "../../docs/configuration.md", devCommand().Set)
	for _, c := range localCommands() {
		documented.Check(t, "../../docs/configuration.md", c.New().Set)
	}
}

func TestPathsHaveTheirType(t *testing.T) {
	for _, c := range program().Commands {
		documented.CheckPaths(t, c.New().Set)
	}
}

func TestManual(t *testing.T) {
	documented.CheckManual(t, program())
}
