package main

import (
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
)

// program returns what completion and the manual are made of. Of its commands it runs those that all programs have; run does the others.
func program() commandline.Program {
	return commandline.Program{
		Name:    "sidecar",
		Section: 8,
		Summary: "Answers feature flags beside an application, from memory.",
		Commands: []commandline.Command{
			{Words: []string{"healthz"}, Short: "ask a running sidecar whether it lives", New: described((&probe{path: "healthz"}).options)},
			{Words: []string{"readyz"}, Short: "ask a running sidecar whether it is ready to answer", New: described((&probe{path: "readyz"}).options)},
			commandline.CompletionCommand("sidecar"),
			commandline.VersionCommand("sidecar"),
			{
				Short: "answer feature flags", New: described(func() *config.Set { return options(new(given)) }),
				Examples: []string{
					"--environment prod --trust-file trust --data-dir data",
					"--environment prod --nats tls://nats.shop.example:4222 --credentials credentials --data-dir data",
				},
			},
		},
	}
}

// described returns a command that is not run from here.
func described(set func() *config.Set) func() commandline.Invocation {
	return func() commandline.Invocation { return commandline.Invocation{Set: set()} }
}
