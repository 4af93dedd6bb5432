package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

func restoreCommand() commandline.Invocation {
	var o publisher.Options
	var file, trust, reason string
	set := config.NewSet("publisher restore", "Puts what a backup holds into a new data directory, or into a NATS server that has no streams of flagside. Nothing is written before "+
		"everything in the file is proved. With the keys of the installation, from --keys, the data directory or the backup, it goes on: sidecars notice a new epoch only. Without them "+
		"a new installation gets the flags, and every sidecar needs its trust file. Start publishers afterwards.")
	set.Argument(&file, "FILE", "backup, written by publisher backup; - is the standard input").File()
	set.File(&trust, "trust", "", "trust file that the backup must be proved by; without it, that of the keys, or the one in the backup").OnlyOnCommandLine()
	set.String(&reason, "reason", "", "why, at most 400 bytes; it stands in signed records for ever: do not name a person").Short("m")
	declareStreams(set, &o)
	return commandline.Invocation{
		Set: set, Changes: true,
		Check: func() error {
			switch {
			case strings.ContainsFunc(reason, unicode.IsControl) || len(reason) > 400:
				return errors.New("--reason is one line of text of at most 400 bytes")
			case o.DataDir == "" && o.NATS == "":
				return errors.New("say where the streams go: --data-dir, or --nats and --keys")
			}
			return nil
		},
		Run: func(ctx context.Context, t commandline.Terminal) error {
			r := publisher.Restoring{Order: writer.Order{Actor: operator, Reason: reason}}
			if trust != "" {
				text, err := os.ReadFile(trust)
				if err == nil {
					r.Trust, err = changelog.ParseTrust(text)
				}
				if err != nil {
					return fmt.Errorf("--trust: %w", err)
				}
			}
			in, closing, err := openBackup(t, o, file)
			if err != nil {
				return err
			}
			o.Logger = zerolog.Nop() // the error says it
			done, err := publisher.RestoreBackup(ctx, o, in, r)
			if err = errors.Join(err, closing()); err != nil {
				return err
			}
			return printRestored(t.Stdout, done)
		},
	}
}

// openBackup opens a file, or what comes on the standard input.
func openBackup(t commandline.Terminal, o publisher.Options, name string) (file *os.File, closing func() error, err error) {
	if name != "-" {
		file, err = os.Open(name) // #nosec G304 -- the operator's file
		if err != nil {
			return nil, nil, err
		}
		return file, file.Close, nil
	}
	if file, closing, err = temporaryFile(o); err != nil {
		return nil, nil, err
	}
	if _, err := io.Copy(file, t.Stdin); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read the standard input: %w", err), closing())
	}
	return file, closing, nil
}

// printRestored says what was restored, and what is left to do.
func printRestored(out io.Writer, done publisher.RestoredBackup) error {
	var lines []string
	line := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	line("restored the backup of %s, %d bytes, SHA-256 %x", done.Time.Format(time.RFC3339), done.Bytes, done.Sum)
	for _, e := range done.Epochs {
		archived := ""
		if e.Archived {
			archived = "; archived, as it was"
		}
		line("  %s: %d documents as of %s, now %s%s", e.Name, e.Documents, e.Left.Token(), e.Position.Token(), archived)
	}
	for _, name := range done.LeftOut {
		line("  %s: archived, and left out", name)
	}
	for _, w := range done.Warnings {
		line("warning: %s", w)
	}
	if done.KeysWritten {
		line("the keys are from the backup: %s", done.KeysDir)
	}
	if done.Same() {
		line("installation %s goes on: start the publisher. Sidecars keep their trust files, and take over the new epochs", done.Installation)
	} else {
		line("THIS IS A NEW INSTALLATION, %s, because the keys of %s are not there.", done.Installation, done.BackedUp.Installation)
		line("Give every sidecar the trust file %s/trust and restart it without its data directory: until then it follows nothing and serves what it has.", done.KeysDir)
		line("Not restored: history, change requests, settings of risk, API tokens, persons. Make new tokens and set the risk again.")
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
