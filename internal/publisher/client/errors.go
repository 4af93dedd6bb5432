package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
)

// Call says what was asked for when it failed.
type Call struct {
	// Environment is empty if the call was about none, and Document if it was about none.
	Environment string
	Document    document.ID
	// Precondition and IdempotencyKey are those that were sent: the same again changes nothing twice.
	Precondition   Precondition
	IdempotencyKey string
}

// Error is the error of a call that the publisher refused.
type Error struct {
	// Problem is the answer, with its status, type, places, conflicts and op-id.
	api.Problem

	Call Call
}

// Error returns the lines of the problem.
func (e *Error) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines returns the detail, and a line for each of Errors.
func (e *Error) Lines() []string {
	lines := []string{e.Detail}
	if e.Detail == "" {
		lines[0] = e.Title
	}
	for _, place := range e.Errors {
		lines = append(lines, describe(place))
	}
	return lines
}

func describe(p api.ProblemPlace) string {
	var parts []string
	for _, part := range []string{p.Kind, p.Key, p.Pointer, p.Location} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, " ") + ": " + p.Reason
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// IsProblem reports whether an error is a refusal of a type, such as api.ProblemNotFound.
func IsProblem(err error, problem string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Type == problem
}

// Unanswered is the error of a call whose answer never came.
type Unanswered struct {
	// Address is that of the publisher.
	Address string
	// Undecided tells that the publisher may have got the call and changed what it asks for.
	Undecided bool
	Call      Call

	cause error
}

// Error says what happened to the connection.
func (u *Unanswered) Error() string {
	return fmt.Sprintf("the publisher at %s does not answer: %v", u.Address, u.cause)
}

// Unwrap returns what happened to the connection.
func (u *Unanswered) Unwrap() error { return u.cause }

// unanswered takes apart what the HTTP client reports.
func (c *Client) unanswered(err error, r request) error {
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("the publisher at %s: %w", c.base, err)
	}
	if around, ok := errors.AsType[*url.Error](err); ok {
		err = around.Err // the address is said anyway
	}
	op, ok := errors.AsType[*net.OpError](err)
	sent := !ok || op.Op != "dial"
	return &Unanswered{Address: c.base.String(), Undecided: sent && r.changes, Call: r.call, cause: err}
}

// refused returns the problem that an answer is.
func refused(response *http.Response, body []byte, r request) error {
	e := &Error{Call: r.call}
	if err := json.Unmarshal(body, &e.Problem); err != nil || e.Status == 0 {
		return fmt.Errorf("%s is not a publisher: it answered %s: check the address", response.Request.URL.Host, response.Status)
	}
	return e
}
