package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// failure is an error with an exit code.
type failure struct {
	code int
	text string
}

// Error returns the text.
func (f *failure) Error() string { return f.text }

// isAbsent reports whether an error tells that a document does not exist in an environment that does.
func isAbsent(err error) bool { return client.IsProblem(err, api.ProblemNotFound) }

// failure returns the failure that an error of the client is for a person, with the name that was meant if it can be guessed. Others stay as
// they are.
func (s *session) failure(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		f := s.refused(refused)
		if similar := s.similar(ctx, refused); similar != "" {
			f.text += "\ndid you mean " + printable(similar) + "?"
		}
		return f
	}
	if lost, ok := errors.AsType[*client.Unanswered](err); ok {
		return s.unanswered(lost)
	}
	return err
}

// refused returns the failure of a call that the publisher refused.
func (s *session) refused(e *client.Error) *failure {
	lines := s.explain(e)
	code := exitCode(e.Problem)
	switch {
	case code == exitUndecided:
		lines = append(lines, s.again(e.Call))
	case e.Status == http.StatusUnauthorized:
		lines = append(lines, "say with --token-file or FLAGSIDE_TOKEN_FILE where your token is; the first one is admin-token in the data directory of the publisher")
	case code == exitApproval && s.urgent != "":
		lines = append(lines, "the same with --break-glass and --reason does it now, if policies permit you that; it must be reviewed afterwards",
			s.urgent+" --propose opens a change request")
	case code == exitApproval && e.Request == "":
		lines = append(lines, "the same with --propose opens one")
	case e.Type == api.ProblemBreakGlassRequired:
		lines = append(lines, "the same with --break-glass and --reason does it, if policies permit you that; with --dry-run, see first what it changes")
	case code == exitRefused && e.Approvals > 0 && e.Request == "":
		lines = append(lines, "the same with --break-glass and --reason goes without, if policies permit you that")
	}
	return &failure{code: code, text: visible(strings.Join(lines, "\n"))}
}

// unanswered says what it means that no answer came.
func (s *session) unanswered(lost *client.Unanswered) *failure {
	if !lost.Undecided {
		return &failure{code: exitUnavailable, text: lost.Error()}
	}
	return &failure{code: exitUndecided, text: fmt.Sprintf("%v\nit may have done what was asked: %s", lost, s.again(lost.Call))}
}

// again says how to repeat a change so that nothing is changed twice: with the same key, and as one who has seen the same.
func (s *session) again(call client.Call) string {
	if call.IdempotencyKey == "" {
		return "look whether it was done before you repeat it"
	}
	text := "repeat it with --idempotency-key " + call.IdempotencyKey + s.also
	if revision := call.Precondition.Revision(); revision != "" && !s.implied {
		text += " --if-match " + revision
	}
	if call.Precondition.Absent && !s.implied {
		text += " --create"
	}
	return text
}

func exitCode(p api.Problem) int {
	switch p.Type {
	case api.ProblemUndecided:
		return exitUndecided
	case api.ProblemApprovalRequired:
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

// explain returns what a problem says, one fact a line, with the places in the file that a document was read from.
func (s *session) explain(e *client.Error) []string {
	lines := e.Lines()
	for i, place := range e.Errors {
		if s.writes != nil && place.Kind == string(s.writes.id.Kind) && place.Key == s.writes.id.Key {
			if file := s.writes.text.Place(place.Pointer); file != "" {
				lines[i+1] = file + ": " + lines[i+1]
			}
		}
	}
	if e.Type == api.ProblemPreconditionMissing { // commands that read first never leave it out
		lines = []string{"Say in the command what you have seen: ifMatch with the revision of the document, or ifAbsent to create it."}
	}
	if e.Risk != nil {
		for _, r := range e.Risk.Reasons {
			lines = append(lines, "risk: "+r.Sentence)
		}
	}
	for _, m := range e.Moved {
		lines = append(lines, fmt.Sprintf("changed: %s %s, now at revision %d", m.Kind, m.Key, m.Revision))
	}
	for _, fact := range []struct{ name, text string }{{"current revision", e.Current}, {"op-id", e.OpID}, {"change request", e.Problem.Request}} {
		if fact.text != "" {
			lines = append(lines, fact.name+": "+fact.text)
		}
	}
	return lines
}

// similar returns the name that was meant, if an error is about one that does not exist and it can be guessed.
func (s *session) similar(ctx context.Context, e *client.Error) string {
	environment, id := e.Call.Environment, e.Call.Document
	switch {
	case e.Type == api.ProblemEnvironmentUnknown:
		return config.Similar(environment, s.names(ctx, namesEnvironment, ""))
	case e.Type == api.ProblemNotFound && (id.Kind == document.KindFlag || id.Kind == document.KindSegment):
		return config.Similar(id.Key, s.names(ctx, string(id.Kind), environment))
	default:
		return ""
	}
}
