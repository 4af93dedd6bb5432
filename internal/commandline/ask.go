package commandline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// IsInteractive reports whether a person can be asked: standard input is a terminal.
func (t Terminal) IsInteractive() bool {
	file, ok := t.Stdin.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) // #nosec G115 -- a descriptor
}

// Ask asks for a line, on standard error, and returns it without blanks around it.
func (t Terminal) Ask(question string) (string, error) {
	fmt.Fprint(t.Stderr, question)
	line, err := bufio.NewReader(t.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

// AskSecret is Ask for something that a terminal does not show. From elsewhere it reads a line without asking.
func (t Terminal) AskSecret(question string) (string, error) {
	if !t.IsInteractive() {
		return Terminal{Stdin: t.Stdin, Stderr: io.Discard}.Ask("")
	}
	fmt.Fprint(t.Stderr, question)
	secret, err := term.ReadPassword(int(t.Stdin.(*os.File).Fd())) // #nosec G115 -- a descriptor
	fmt.Fprintln(t.Stderr)
	return strings.TrimSpace(string(secret)), err
}
