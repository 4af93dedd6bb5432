package main

import (
	"testing"

	"github.com/flagside/flagside/internal/config/documented"
)

func TestOptionsAreDocumented(t *testing.T) {
	documented.Check(t, "../../docs/configuration.md", options(new(given)), (&probe{path: "healthz"}).options(), (&probe{path: "readyz"}).options())
}

func TestPathsHaveTheirType(t *testing.T) {
	documented.CheckPaths(t, options(new(given)))
}

func TestManual(t *testing.T) {
	documented.CheckManual(t, program())
}
