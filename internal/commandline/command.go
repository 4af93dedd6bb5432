package commandline

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/config"
)

// The exit codes that all programs share. [Program.ExitCode] may have others.
const (
	ExitOK      = 0
	ExitFailure = 1 // what was asked for could not be done
	ExitUsage   = 2 // what was asked for makes no sense; nothing was done
)

// Terminal is where a command line comes from, and where it writes.
type Terminal struct {
	Environ        []string // as os.Environ returns it
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Command is a sub-command.
type Command struct {
	// Words begin the command line, such as "flag", "get".
	Words []string
	// Short says in a line what it does.
	Short string
	// Examples are complete command lines, without the name of the program.
	Examples []string
	// New returns the command with an option table of its own.
	New func() Invocation
}

// Name returns the words as one text.
func (c Command) Name() string { return strings.Join(c.Words, " ") }

// Begins reports whether the words begin a command line.
func (c Command) Begins(line []string) bool {
	return len(line) >= len(c.Words) && slices.Equal(line[:len(c.Words)], c.Words)
}

// Invocation is a sub-command whose option table can be filled in, once.
type Invocation struct {
	Set *config.Set
	// Check returns why the options make no sense; nil checks nothing.
	Check func() error
	// Try tries what Run would begin with, and undoes it; nil tries nothing.
	Try func(ctx context.Context) error
	// Run does what the options ask for.
	Run func(ctx context.Context, t Terminal) error
	// Changes tells that it changes something, so that a variable that asks for a dry run is refused if it has none.
	Changes bool
	// Serves tells that it is a server: it names all environment variables that set no option, and not only likely mistakes.
	Serves bool
}
