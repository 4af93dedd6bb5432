package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/flagside/flagside/internal/publisher/admin"
)

// The exit codes of commands that ask the API.
const (
	exitFailure     = 1
	exitRefused     = 3
	exitConflict    = 4
	exitNotFound    = 5
	exitUndecided   = 6
	exitApproval    = 7
	exitUnavailable = 8
	exitInvalid     = 9
	exitIncomplete  = 10
)

// Meaning is an exit code and what it means.
type Meaning struct {
	Code int
	Text string
}

// ExitCodes returns all exit codes with their meaning, for the documentation.
func ExitCodes() []Meaning {
	return []Meaning{
		{0, "done"},
		{exitFailure, "failed in a way that no other code tells"},
		{2, "the command line makes no sense; nothing was asked"},
		{exitRefused, "not permitted: no valid token, or policies deny it"},
		{exitConflict, "something has changed since it was read, exists already, or is in no state for it: read it again"},
		{exitNotFound, "it does not exist"},
		{exitUndecided, "undecided: the change may or may not be written; `flagside operation get`, or the same again as the message says"},
		{exitApproval, "others have to approve it: open a change request, with `--propose`"},
		{exitUnavailable, "the publisher does not answer, or cannot do it now; nothing was written: try again"},
		{exitInvalid, "what was sent is wrong: a document that cannot be evaluated, or a malformed value"},
		{exitIncomplete, "`flagside audit verify`: what is there is proved, but parts of the history are lost or not proved"},
	}
}

// ExitCode returns the exit code for the error of an [commandline.Invocation], 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return exitFailure
}

// failure is an error with an exit code.
type failure struct {
	code    int
	text    string
	problem string   // type of the problem, if it is one of the API
	path    []string // that was asked for, if it is one of the API
}

// Error returns the text.
func (f *failure) Error() string { return f.text }

// problemType begins the type of every problem.
const problemType = "urn:flagside:problem:"

// refused returns the error of a call that the publisher refused.
func refused(p *admin.Problem, in admin.Call, again string) error {
	lines := explain(p)
	code := exitCode(p)
	switch {
	case code == exitUndecided:
		lines = append(lines, again)
	case p.Status == http.StatusUnauthorized:
		lines = append(lines, "say with --token-file or FLAGSIDE_TOKEN_FILE where your token is; the first one is admin-token in the data directory of the publisher")
	case code == exitApproval && p.Request == "":
		lines = append(lines, "the same with --propose opens one")
	case p.Type == problemType+"break-glass-required":
		lines = append(lines, "the same with --break-glass and --reason does it, if policies permit you that; with --dry-run, see first what it changes")
	case code == exitRefused && p.Approvals > 0 && p.Request == "":
		lines = append(lines, "the same with --break-glass and --reason goes without, if policies permit you that")
	}
	return &failure{code: code, text: visible(strings.Join(lines, "\n")), problem: p.Type, path: in.Path}
}

func exitCode(p *admin.Problem) int {
	switch p.Type {
	case problemType + "undecided":
		return exitUndecided
	case problemType + "approval-required":
		return exitApproval
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitRefused
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired, http.StatusGone:
		return exitConflict
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return exitUnavailable
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType:
		return exitInvalid
	default:
		return exitFailure
	}
}

// explain returns what a problem says, one fact a line.
func explain(p *admin.Problem) []string {
	lines := []string{p.Error()}
	if p.Type == problemType+"precondition-missing" { // commands that read first never leave it out
		lines[0] = "Say in the command what you have seen: ifMatch with the revision of the document, or ifAbsent to create it."
	}
	if p.Risk != nil {
		for _, r := range p.Risk.Reasons {
			lines = append(lines, "risk: "+r.Sentence)
		}
	}
	for _, m := range p.Moved {
		lines = append(lines, fmt.Sprintf("changed: %s %s, now at revision %d", m.Kind, m.Key, m.Revision))
	}
	for _, fact := range []struct{ name, text string }{{"current revision", p.Current}, {"op-id", p.OpID}, {"change request", p.Request}} {
		if fact.text != "" {
			lines = append(lines, fact.name+": "+fact.text)
		}
	}
	return lines
}

// present returns the texts that are not empty.
func present(texts ...string) []string {
	var list []string
	for _, text := range texts {
		if text != "" {
			list = append(list, text)
		}
	}
	return list
}
