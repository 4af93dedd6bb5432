package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/attacks"
)

// place is a test, or a subtest, of a package.
type place struct {
	folder string // of the package, below the root of the repository
	test   string // as the go command prints it
}

// outcome is how a test ended: "pass", "fail" or "skip"; "" if it did not.
type outcome string

// results are the outcomes of tests that were run.
type results map[place]outcome

// event is a line that go test -json prints.
type event struct {
	Action string
	Test   string
	Output string
}

func folders(all []attacks.Attack) []string {
	found := make(map[string]bool)
	for _, a := range all {
		found[a.Package] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func functions(all []attacks.Attack, folder string) []string {
	found := make(map[string]bool)
	for _, a := range all {
		if a.Package == folder {
			found[a.Function()] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// test runs test functions of a package. That some fail is no error; the error tells that they could not be run.
func (r results) test(ctx context.Context, folder string, functions []string) error {
	pattern := "^(" + strings.Join(functions, "|") + ")$"
	command := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-run", pattern, "./"+folder) //nolint:gosec // the list says what is run
	var messages bytes.Buffer
	command.Stderr = &messages
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	text, reading := r.read(folder, out)
	err = errors.Join(reading, command.Wait())
	if _, failed := errors.AsType[*exec.ExitError](err); failed && r.ran(folder) && ctx.Err() == nil {
		return nil // which the outcomes tell
	}
	if err != nil {
		return fmt.Errorf("%s: the tests could not be run: %w\n%s%s", folder, errors.Join(err, ctx.Err()), text, messages.Bytes())
	}
	return nil
}

// read takes over what go test prints, and returns the text that belongs to tests that failed.
func (r results) read(folder string, out io.Reader) (string, error) {
	lines := jsontext.NewDecoder(out)
	var text strings.Builder
	for {
		var e event
		switch err := json.UnmarshalDecode(lines, &e); {
		case errors.Is(err, io.EOF):
			return text.String(), nil
		case err != nil:
			return text.String(), errors.Join(err, drain(out))
		}
		switch e.Action {
		case "run":
			r[place{folder, e.Test}] = ""
		case "pass", "fail", "skip":
			if e.Test != "" {
				r[place{folder, e.Test}] = outcome(e.Action)
			}
		case "output", "build-output":
			if e.Test == "" && text.Len() < 1<<16 {
				text.WriteString(e.Output)
			}
		}
	}
}

// drain lets the command go on that writes to a pipe.
func drain(out io.Reader) error {
	_, err := io.Copy(io.Discard, out)
	return err
}

// ran reports whether any test of a package has ended.
func (r results) ran(folder string) bool {
	for at, o := range r {
		if at.folder == folder && o != "" {
			return true
		}
	}
	return false
}

// leaves returns the tests without subtests, and those that failed though none of their subtests did: what each attack is.
func (r results) leaves() map[place]outcome {
	parents := make(map[place]bool)
	failedBelow := make(map[place]bool)
	for at, o := range r {
		for name := at.test; strings.Contains(name, "/"); {
			name = name[:strings.LastIndex(name, "/")]
			parents[place{at.folder, name}] = true
			if o == "fail" {
				failedBelow[place{at.folder, name}] = true
			}
		}
	}
	found := make(map[place]outcome)
	for at, o := range r {
		if !parents[at] || o != "pass" && !failedBelow[at] {
			found[at] = o
		}
	}
	return found
}
