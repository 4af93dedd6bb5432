package main

import (
	"context"
	"io"
	"strings"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/cli"
)

func completionCommand() command {
	var shell string
	set := config.NewSet("publisher completion", "Prints the script that completes commands and options in a shell. "+
		"For bash: source <(publisher completion bash).")
	set.Argument(&shell, "SHELL", "one of "+strings.Join(cli.Shells(), ", "))
	return command{
		set:   set,
		check: func() error { _, err := cli.Completion(shell, nil); return err },
		run: func(_ context.Context, t terminal) error {
			var commands []cli.Completable
			for _, s := range subcommands() {
				commands = append(commands, cli.Completable{Words: s.words, Options: s.make().set.Options()})
			}
			script, err := cli.Completion(shell, commands)
			if err != nil {
				return err
			}
			_, err = io.WriteString(t.stdout, script)
			return err
		},
	}
}
