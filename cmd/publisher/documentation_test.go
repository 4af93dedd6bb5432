package main

import (
	"testing"

	"github.com/flagside/flagside/internal/config/documented"
)

func TestOptionsAreDocumented(t *testing.T) {
	for _, s := range subcommands() {
		if s.words[0] == "version" {
			continue // it has no options of its own
		}
		documented.Check(t, "../../docs/configuration.md", s.make().set)
	}
}
