package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/sync/writer"
)

// operator is who CONTROL names for what is done beside the data directory.
const operator = "operator"

func environmentDestroyCommand() commandline.Invocation {
	var o publisher.Options
	var name, confirmed, reason string
	set := config.NewSet("publisher environment destroy", "Deletes the flags of an archived environment for good, with their history. Its ledger "+
		"stays, and its name is not given again: export its history first with flagside audit export if you need it. Stop the publisher first: this uses its data directory. With --nats it records the end and prints the "+
		"commands that delete the streams.")
	set.Argument(&name, "NAME", "name of the environment")
	set.String(&confirmed, "confirm", "", "the name once more, where no terminal can be asked").OnlyOnCommandLine()
	set.String(&reason, "reason", "", "why, at most 500 bytes; it stands in a signed record for ever: do not name a person").Short("m")
	declareStreams(set, &o)
	return commandline.Invocation{
		Set: set, Changes: true,
		Check: func() error {
			if strings.ContainsFunc(reason, unicode.IsControl) {
				return errors.New("--reason has a line break or a control character: write one line of text")
			}
			if o.DataDir == "" && o.NATS == "" {
				return errors.New("say where the streams are: give the publisher's --data-dir, or --nats and --keys")
			}
			return nil
		},
		Run: func(ctx context.Context, t commandline.Terminal) error {
			if err := confirm(ctx, t, name, confirmed); err != nil {
				return err
			}
			o.Logger = zerolog.Nop() // the error says it
			done, err := publisher.Destroy(ctx, o, name, writer.Order{Actor: operator, Reason: reason})
			if err != nil {
				return err
			}
			return printDestroyed(t.Stdout, name, done)
		},
	}
}

// confirm makes sure that the environment is meant.
func confirm(ctx context.Context, t commandline.Terminal, name, confirmed string) (err error) {
	if confirmed == "" && t.IsInteractive() {
		confirmed, err = t.Ask(ctx, fmt.Sprintf("This deletes all flags of environment %s and their history for good. Type its name to go on: ", name))
	}
	switch {
	case err != nil || confirmed == name:
		return err
	case confirmed == "":
		return fmt.Errorf("nothing was deleted: confirm with --confirm %s", name)
	default:
		return fmt.Errorf("nothing was deleted: %q is not the environment's name: type %q", confirmed, name)
	}
}

// printDestroyed says everything that was touched, what stays, and what is left to do.
func printDestroyed(out io.Writer, name string, d publisher.Destroyed) error {
	var lines []string
	line := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	line("environment %s is destroyed", name)
	switch {
	case !d.Control.IsZero():
		line("recorded: CONTROL %d, ledger %d", d.Control.Sequence, d.Ledger)
	case d.Ledger != 0:
		line("recorded before in CONTROL; recorded: ledger %d", d.Ledger)
	default:
		line("recorded before")
	}
	for _, stream := range d.Deleted {
		line("deleted: stream %s, %d messages, %d bytes", stream.Name, stream.Messages, stream.Bytes)
	}
	line("kept: ledger LEDGER_%s, and the records of CONTROL", name)
	if len(d.Remaining) > 0 {
		line("delete the streams as a user of the account that has them:")
	}
	for _, stream := range d.Remaining {
		line("  nats stream rm %s", stream)
	}
	for _, user := range d.Users {
		line("NATS user %s is for this environment: flagside credentials remove %s takes it away", user, user)
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
