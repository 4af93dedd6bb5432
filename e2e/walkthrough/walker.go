package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/cli/transcript"
)

// walker is people at their terminals, and what they see.
type walker struct {
	transcript.Transcript

	dir       string
	binaries  process.Binaries
	admin     string            // host:port of the API
	gate      string            // host:port at which the sidecar answers a proxy
	tokens    map[string]string // files, by person
	ids       map[string]string // of those tokens
	sidecar   *process.Sidecar
	receiver  *receiver // of events in team; down at first
	processes []*process.Process
	steps     int
	failed    int
}

func (w *walker) stop() {
	for _, p := range w.processes {
		p.Kill()
	}
	if w.receiver != nil {
		w.receiver.Close()
	}
}

// say adds prose.
func (w *walker) say(text string) { w.Add("%s\n\n", text) }

// step is one command line.
type step struct {
	who   string
	line  string // words separated by blanks; a word in single quotes may have blanks
	stdin string
	code  int      // that it must end with
	has   []string // what it must print
	brief bool     // the page shows its help without the options of many commands
}

// run runs a step as a process of its own, checks how it ended, and returns what it printed.
func (w *walker) run(ctx context.Context, s step) (string, error) {
	w.steps++
	output, code, err := w.execute(ctx, s)
	if err != nil {
		return "", err
	}
	line := s.who + "$ "
	if s.stdin != "" {
		line += "echo '" + s.stdin + "' | "
	}
	shown := output
	if s.brief {
		shown = withoutCommonOptions(output)
	}
	w.Add("```console\n%sflagside %s\n%s", line, s.line, shown)
	if code != 0 {
		w.Add("(exit code %d)\n", code)
	}
	w.Add("```\n\n")
	problem := ""
	if code != s.code {
		problem = fmt.Sprintf("exit code %d, want %d", code, s.code)
	}
	for _, text := range s.has {
		if !strings.Contains(output, text) {
			problem += fmt.Sprintf(" no %q", text)
		}
	}
	if problem != "" {
		w.failed++
		fmt.Fprintf(os.Stderr, "%s$ flagside %s: %s\n%s", s.who, s.line, problem, output)
	}
	return output, nil
}

// withoutCommonOptions shortens a help text to what is its own.
func withoutCommonOptions(help string) string {
	before, rest, _ := strings.Cut(help, "\nOptions of many commands:\n")
	_, examples, found := strings.Cut(rest, "\nExamples:\n")
	if !found {
		return help
	}
	return before + "\nOptions of many commands:\n  …\n\nExamples:\n" + examples
}

func (w *walker) execute(ctx context.Context, s step) (output string, code int, err error) {
	command := exec.CommandContext(ctx, w.binaries.Flagside, words(s.line)...)
	command.Dir = w.dir
	command.Env = append(os.Environ(),
		"FLAGSIDE_ADMIN=http://"+w.admin, "FLAGSIDE_TOKEN_FILE="+w.tokens[s.who], "FLAGSIDE_ENVIRONMENT=prod", "XDG_CONFIG_HOME="+filepath.Join(w.dir, "config"))
	command.Stdin = strings.NewReader(s.stdin)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.Exited() {
		return out.String(), ended.ExitCode(), nil
	}
	return out.String(), 0, err
}

// words splits a command line as a shell would, as far as it is needed here.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// after returns the word that follows text in what a step printed.
func after(output, text string) (string, error) {
	_, rest, found := strings.Cut(output, text)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return "", fmt.Errorf("%q is not in %s", text, output)
	}
	return strings.Trim(fields[0], ";:,"), nil
}

// ask waits until the sidecar answers a flag with a variant, and adds the question and the answer.
func (w *walker) ask(ctx context.Context, key, evaluationContext, variant string) error {
	w.steps++
	var last process.Answer
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := process.Await(within, "the sidecar's answer for "+key, func() bool {
		answer, err := w.sidecar.Evaluate(ctx, key, evaluationContext)
		last = answer
		return err == nil && answer.Variant == variant
	})
	if err != nil {
		return fmt.Errorf("%w: %+v", err, last)
	}
	w.Add("```console\napplication$ curl -d '{\"context\":%s}' localhost:8016/ofrep/v1/evaluate/flags/%s\n", evaluationContext, key)
	w.Add("{\"key\":%q,\"variant\":%q,\"value\":%s,\"reason\":%q, …}\n```\n\n", last.Key, last.Variant, last.Value, last.Reason)
	return nil
}

// answers reports whether a request is answered with 200.
func answers(ctx context.Context, target string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
