package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	flagsync "github.com/flagside/flagside/sync"
)

// operator is who CONTROL names for what is done beside the data directory.
const operator = "operator"

func environmentDestroyCommand() command {
	var o publisher.Options
	var name, confirmed, reason string
	set := config.NewSet("publisher environment destroy", "Deletes the flags of an archived environment for good, with their history. Its ledger "+
		"stays, and its name is not given again. Stop the publisher first: this uses its data directory. With --nats it records the end and prints the "+
		"commands that delete the streams.")
	set.Argument(&name, "NAME", "name of the environment")
	set.String(&confirmed, "confirm", "", "the name once more, where no terminal can be asked")
	set.String(&reason, "reason", "", "why, at most 500 bytes; it stands in a signed record for ever: do not name a person").Short("m")
	declareStreams(set, &o)
	return command{
		set: set,
		check: func() error {
			if o.DataDir == "" && o.NATS == "" {
				return errors.New("say where the streams are: give the publisher's --data-dir, or --nats and --keys")
			}
			return nil
		},
		run: func(ctx context.Context, t terminal) error {
			if err := confirm(t, name, confirmed); err != nil {
				return err
			}
			o.Logger = zerolog.Nop() // the error says it
			done, err := publisher.Destroy(ctx, o, name, flagsync.Order{Actor: operator, Reason: reason})
			if err != nil {
				return err
			}
			return printDestroyed(t.stdout, name, done)
		},
	}
}

// confirm makes sure that the environment is meant.
func confirm(t terminal, name, confirmed string) error {
	if confirmed == "" && isTerminal(t.stdin) {
		fmt.Fprintf(t.stderr, "This deletes all flags of environment %s and their history for good. Type its name to go on: ", name)
		line, err := bufio.NewReader(t.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		confirmed = strings.TrimSpace(line)
	}
	switch confirmed {
	case name:
		return nil
	case "":
		return fmt.Errorf("nothing is deleted: say that you mean it with --confirm %s", name)
	default:
		return fmt.Errorf("nothing is deleted: %q is not %q", confirmed, name)
	}
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printDestroyed says everything that was touched, what stays, and what is left to do.
func printDestroyed(out io.Writer, name string, d publisher.Destroyed) error {
	var lines []string
	line := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	line("environment %s is destroyed", name)
	if d.Control.IsZero() {
		line("recorded before")
	} else {
		line("recorded: CONTROL %d, ledger %d", d.Control.Sequence, d.Ledger)
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
		line("NATS user %s is for this environment: publisher credentials remove %s takes it away", user, user)
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
