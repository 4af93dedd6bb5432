package main

import (
	"context"
	"slices"
	"strconv"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/cli"
)

// program returns the program with its commands.
func program() commandline.Program {
	return commandline.Program{
		Name:    "flagside",
		Section: 1,
		Summary: "Feature flags with history, approvals, and answers on localhost.",
		Topics:  topics(),
		Commands: slices.Concat(
			[]commandline.Command{{
				Words: []string{"dev"}, Short: "serve a flag file on this machine, and watch it", New: devCommand,
				Examples: []string{"dev examples/flags.json", "dev flags.yaml --port-offset 100"},
			}},
			cli.Commands(),
			localCommands(),
			[]commandline.Command{commandline.CompletionCommand("flagside"), commandline.VersionCommand("flagside")},
		),
		Variables: "Variables: FLAGSIDE_ADMIN is the address of the publisher, FLAGSIDE_TOKEN_FILE has your token, FLAGSIDE_ENVIRONMENT is the environment.",
		Moved:     map[string]string{"serve": "publisher", "keys": "publisher", "environment destroy": "publisher"},
		Names:     cli.Names,
		Fallback:  cli.FromContext,
		ExitCode:  cli.ExitCode,
		ExitCodes: exitCodes(),
	}
}

// exitCodes say what the exit codes mean.
func exitCodes() []commandline.Entry {
	var all []commandline.Entry
	for _, m := range cli.ExitCodes() {
		all = append(all, commandline.Entry{Word: strconv.Itoa(m.Code), Short: m.Text})
	}
	return all
}

// localCommands ask no publisher.
func localCommands() []commandline.Command {
	return []commandline.Command{
		{
			Words: []string{"convert"}, Short: "print a flag file in JSON or YAML as JSON", New: convertCommand,
			Examples: []string{"convert flags.yaml", "convert flags.yaml --compatibility flagd"},
		},
		{
			Words: []string{"policy", "check"}, Short: "check a policy file, and say who may do what by it", New: policyCheckCommand,
			Examples: []string{"policy check --policy policy.cedar", "policy check --group flagside:editor --action change --resource prod/flag/new-checkout"},
		},
		{
			Words: []string{"credentials", "add"}, Short: "make a NATS user for a sidecar or a publisher, with its directory of credentials", New: credentialsAddCommand,
			Examples: []string{
				"credentials add checkout --environment prod --data-dir data/publisher --out checkout",
				"credentials add publisher-2 --role publisher --nats-users users.json --trust-file trust --out publisher-2",
			},
		},
		{
			Words: []string{"credentials", "remove"}, Short: "take a NATS user away", New: credentialsRemoveCommand,
			Examples: []string{"credentials remove checkout --data-dir data/publisher", "credentials remove checkout --nats-users users.json"},
		},
		{
			Words: []string{"credentials", "config"}, Short: "print the accounts and NATS users for servers that are not embedded", New: credentialsConfigCommand,
			Examples: []string{"credentials config --nats-users users.json", "credentials config --data-dir data/publisher"},
		},
	}
}

// topics group the commands in the overview.
func topics() []commandline.Topic {
	return []commandline.Topic{
		{Title: "Start here", Entries: []commandline.Entry{
			{Word: "dev FILE", Short: "serve a flag file on this machine, and watch it"},
			{Word: "login", Short: "remember a publisher, your token and an environment"},
			{Word: "context", Short: "switch between what you logged in to"},
		}},
		{Title: "Flags", Entries: []commandline.Entry{
			{Word: "flag", Short: "list, create, change, roll out, compare and undo flags"},
			{Word: "segment", Short: "the same for groups of users"},
			{Word: "promote", Short: "make flags what they are in another environment"},
			{Word: "settings", Short: "settings of an environment"},
			{Word: "lifecycle", Short: "list flags that have outlived their purpose"},
			{Word: "refs", Short: "find the places in source code that name flags"},
		}},
		{Title: "Files", Entries: []commandline.Entry{
			{Word: "apply", Short: "make an environment what files say"},
			{Word: "export", Short: "print an environment as a flag file"},
			{Word: "source", Short: "files and objects that a publisher follows, and their states"},
			{Word: "validate", Short: "check flag files, and say where they are wrong"},
			{Word: "convert FILE", Short: "print a flag file in JSON or YAML as JSON"},
		}},
		{Title: "Who changed what, and who agrees", Entries: []commandline.Entry{
			{Word: "request", Short: "change requests: read, approve, apply and review them"},
			{Word: "activity", Short: "list what happened in an environment"},
			{Word: "audit", Short: "list, export and verify decisions"},
		}},
		{Title: "Who serves what", Entries: []commandline.Entry{
			{Word: "fleet", Short: "list sidecars, and what each of them serves"},
			{Word: "wait", Short: "wait until sidecars serve a revision, or say which do not"},
			{Word: "usage", Short: "which applications use a flag, and how often"},
			{Word: "usage unknown", Short: "list flags that code asks for and that do not exist"},
		}},
		{Title: "Environments and access", Entries: []commandline.Entry{
			{Word: "environment", Short: "create, protect, archive, restore and roll back environments"},
			{Word: "token", Short: "create, list and revoke API tokens"},
			{Word: "session", Short: "see and end sessions of the console"},
			{Word: "policy", Short: "who may do what, by a file or at the publisher"},
			{Word: "person", Short: "list and erase persons"},
			{Word: "webhook", Short: "list and test the receivers of events"},
			{Word: "credentials", Short: "NATS users of sidecars and publishers"},
		}},
		{Title: "When something is wrong", Entries: []commandline.Entry{
			{Word: "doctor", Short: "collect what is needed to find out what is wrong"},
			{Word: "whoami", Short: "say who the publisher takes you for"},
			{Word: "kill FLAG", Short: "turn a flag off everywhere, and say when that is done"},
			{Word: "operation", Short: "ask what became of an undecided change"},
			{Word: "ledger", Short: "continue a ledger after lost records"},
		}},
		{Title: "This program", Entries: []commandline.Entry{
			{Word: "completion SHELL", Short: "print the script that completes commands and names"},
			{Word: "version", Short: "print the version"},
		}},
	}
}

// run does what a command line asks for, and returns the exit code.
func run(ctx context.Context, args []string, t commandline.Terminal) int {
	return program().Run(ctx, args, t)
}
