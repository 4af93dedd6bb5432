package main

import (
	"testing"

	"github.com/flagside/flagside/internal/config/documented"
)

func TestOptionsAreDocumented(t *testing.T) {
	for _, c := range program().Commands {
		if c.Words[0] != "version" && c.Words[0] != "completion" { // which have no options of their own
			documented.Check(t, "../../docs/configuration.md", c.New().Set)
		}
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
