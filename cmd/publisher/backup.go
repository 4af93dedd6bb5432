package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
)

func backupCommand() commandline.Invocation {
	var o publisher.Options
	var out string
	var withKeys bool
	set := config.NewSet("publisher backup", "Copies everything that publishers store into one file, and reads the file back to prove it: flags with their history, "+
		"ledgers, environments, tokens, persons. The publisher may run meanwhile: give the options that it has. Private keys are left out without --with-keys.")
	set.File(&out, "out", "", "file to make; - is the standard output").OnlyOnCommandLine()
	set.Bool(&withKeys, "with-keys", false, "put the private keys into the file too: who has the file can then sign as this installation").OnlyOnCommandLine()
	declareStreams(set, &o)
	return commandline.Invocation{
		Set: set,
		Check: func() error {
			switch {
			case out == "":
				return errors.New("say where the backup goes: --out FILE, or --out - for the standard output")
			case o.DataDir == "" && o.NATS == "":
				return errors.New("say where the streams are: give the publisher's --data-dir, or --nats and --keys")
			}
			return nil
		},
		Run: func(ctx context.Context, t commandline.Terminal) error {
			o.Logger = zerolog.Nop() // the error says it
			if out == "-" {
				return backupToPipe(ctx, t, o, withKeys)
			}
			done, err := publisher.BackupFile(ctx, o, out, withKeys)
			if err != nil {
				return err
			}
			return printBackup(t.Stdout, out, done)
		},
	}
}

// backupToPipe writes the backup to the standard output once it is proved, and what it holds to the standard error.
func backupToPipe(ctx context.Context, t commandline.Terminal, o publisher.Options, withKeys bool) (err error) {
	file, remove, err := temporaryFile(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	done, err := publisher.Backup(ctx, o, file, withKeys)
	if err != nil {
		return err
	}
	if _, err := io.Copy(t.Stdout, io.NewSectionReader(file, 0, done.Bytes)); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return printBackup(t.Stderr, "the standard output", done)
}

// temporaryFile makes a file that ends with the process: in the data directory if there is one, because a container may have no other place.
func temporaryFile(o publisher.Options) (file *os.File, remove func() error, err error) {
	dir := o.DataDir
	if _, err := os.Stat(dir); err != nil {
		dir = ""
	}
	file, err = os.CreateTemp(dir, ".flagside-backup-*")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Remove(file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, file.Close, nil
}

// streamLine says what a stream has.
func streamLine(s publisher.BackedUpStream) string {
	return fmt.Sprintf("  %-20s %d messages, up to %d", s.Name, s.Messages, s.Last)
}

// printBackup says what a backup holds.
func printBackup(out io.Writer, name string, done publisher.BackedUp) error {
	lines := []string{fmt.Sprintf("%s: backup of installation %s at %s", filepath.Base(name), done.Installation, done.Time.Format(time.RFC3339))}
	if name == "the standard output" {
		lines[0] = fmt.Sprintf("backup of installation %s at %s", done.Installation, done.Time.Format(time.RFC3339))
	}
	for _, s := range done.Streams {
		lines = append(lines, streamLine(s))
	}
	lines = append(lines, fmt.Sprintf("read back and proved: %d bytes, SHA-256 %x", done.Bytes, done.Sum))
	for _, w := range done.Warnings {
		lines = append(lines, "warning: "+w)
	}
	if done.Keys {
		lines = append(lines, "THIS FILE HOLDS THE PRIVATE KEYS: who has it can sign as this installation. Encrypt it, and keep it as you keep them.")
	} else {
		lines = append(lines, "private keys are not in it: keep a copy of them, without which a restore makes a new installation")
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
