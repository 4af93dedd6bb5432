package main

import (
	"context"
	"slices"

	"github.com/flagside/flagside/internal/commandline"
)

// program returns the program with its commands.
func program() commandline.Program {
	moved := make(map[string]string)
	for _, word := range []string{
		"dev", "flag", "segment", "settings", "promote", "request", "activity", "audit", "environment", "ledger", "token", "session", "person", "policy",
		"whoami", "doctor", "operation", "credentials", "convert", "login", "context",
	} {
		moved[word] = "flagside"
	}
	return commandline.Program{
		Name:    "publisher",
		Section: 8,
		Summary: "Keeps the change logs of environments, and decides on changes. What people type is in the program flagside.",
		Commands: slices.Concat(
			[]commandline.Command{{
				Words: []string{"serve"}, Short: "keep the change logs of environments and serve the API that changes them", New: serveCommand,
				Examples: []string{"serve --data-dir data/publisher", "serve --nats nats://nats.shop.example:4222 --nats-nkey nats.nkey --keys keys --replicas 3"},
			}},
			probeCommands(),
			keysCommands(),
			[]commandline.Command{
				{
					Words: []string{"backup"}, Short: "copy everything that publishers store into one file", New: backupCommand,
					Examples: []string{"backup --data-dir data/publisher --out flagside.backup", "backup --nats nats://nats.shop.example:4222 --nats-nkey nats.nkey --keys keys --out flagside.backup --with-keys"},
				},
				{
					Words: []string{"restore"}, Short: "put what a backup holds into a new data directory or NATS server", New: restoreCommand,
					Examples: []string{"restore flagside.backup --data-dir data/publisher", "restore flagside.backup --nats nats://nats.shop.example:4222 --nats-nkey nats.nkey --keys keys --replicas 3"},
				},
				{
					Words: []string{"move"}, Short: "copy everything that publishers store to another NATS server or data directory", New: moveCommand,
					Examples: []string{"move --data-dir data/publisher --to nats://nats.shop.example:4222 --to-nats-nkey nats.nkey --to-replicas 3", "move --nats nats://nats.shop.example:4222 --nats-nkey nats.nkey --keys keys --to-data-dir data/publisher"},
				},
				{
					Words: []string{"environment", "destroy"}, Short: "delete the flags of an archived environment for good", New: environmentDestroyCommand,
					Examples: []string{"environment destroy trial --data-dir data/publisher", "environment destroy trial --data-dir data/publisher --confirm trial"},
				},
				{
					Words: []string{"provision"}, Short: "make the Secrets that an installation in Kubernetes needs", New: provisionCommand,
					Examples: []string{"provision --file provision.json", "provision --file provision.json --dry-run --kubernetes-url http://127.0.0.1:8001"},
				},
				commandline.CompletionCommand("publisher"),
				commandline.VersionCommand("publisher"),
			},
		),
		Moved: moved,
	}
}

// run does what a command line asks for, and returns the exit code.
func run(ctx context.Context, args []string, t commandline.Terminal) int {
	return program().Run(ctx, args, t)
}
