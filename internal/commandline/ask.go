package commandline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/flagside/flagside/internal/ending"
)

// IsInteractive reports whether a person can be asked: standard input is a terminal.
func (t Terminal) IsInteractive() bool {
	file, ok := t.Stdin.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) // #nosec G115 -- a descriptor
}

// Ask asks for a line, on standard error, and returns it without blanks around it. It ends with ctx.
func (t Terminal) Ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.Stderr, question)
	return answered(ctx, func() (string, error) {
		line, err := bufio.NewReader(t.Stdin).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
}

// AskSecret is Ask for something that a terminal does not show. From elsewhere it reads a line without asking.
func (t Terminal) AskSecret(ctx context.Context, question string) (string, error) {
	if !t.IsInteractive() {
		return Terminal{Stdin: t.Stdin, Stderr: io.Discard}.Ask(ctx, "")
	}
	descriptor := int(t.Stdin.(*os.File).Fd()) // #nosec G115 -- a descriptor
	state, err := term.GetState(descriptor)
	if err != nil {
		return "", err
	}
	shown := func() { _ = term.Restore(descriptor, state) } // the terminal may be gone
	forget := ending.AtOnce(shown)
	defer forget()
	defer shown()
	fmt.Fprint(t.Stderr, question)
	defer fmt.Fprintln(t.Stderr)
	return answered(ctx, func() (string, error) {
		secret, err := term.ReadPassword(descriptor)
		return string(secret), err
	})
}

// answered returns what a person answers, or why ctx ended before. Nothing ends a read of a terminal: it stays behind until the process ends.
func answered(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	given := make(chan answer, 1)
	go func() {
		text, err := read()
		given <- answer{strings.TrimSpace(text), err}
	}()
	select {
	case a := <-given:
		return a.text, a.err
	case <-ctx.Done():
		return "", errors.New("interrupted: nothing was done")
	}
}
