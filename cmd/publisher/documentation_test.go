package main

import (
	"slices"
	"testing"

	"github.com/flagside/flagside/internal/config/documented"
	"github.com/flagside/flagside/internal/publisher/cli"
)

func TestOptionsAreDocumented(t *testing.T) {
	for _, s := range subcommands() {
		if s.words[0] == "version" || s.words[0] == "completion" || asksAPI(s) {
			continue // the former have no options of their own, the others are in docs/cli.md
		}
		documented.Check(t, "../../docs/configuration.md", s.make().set)
	}
}

// asksAPI reports whether a sub-command is one of package cli, which documents its own.
func asksAPI(s subcommand) bool {
	return slices.ContainsFunc(cli.Commands(), func(c cli.Command) bool { return slices.Equal(c.Words, s.words) })
}
