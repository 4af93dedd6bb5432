package admin

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// problemType begins the type of every problem.
const problemType = "urn:flagside:problem:"

// The types of problems that the API itself finds. Those of refused commands are named by their control.Cause.
const (
	typeInvalidRequest   = problemType + "invalid-request"
	typeNotFound         = problemType + "not-found"
	typeMethodNotAllowed = problemType + "method-not-allowed"
	typeMediaType        = problemType + "unsupported-media-type"
	typeTooLarge         = problemType + "too-large"
	typeForeignHost      = problemType + "foreign-host"
	typeForeignOrigin    = problemType + "foreign-origin"
	typeInternal         = problemType + "internal"
	typeUndecided        = problemType + "undecided"
	typeUnauthenticated  = problemType + "unauthenticated"
	typeUnavailable      = problemType + "unavailable"
)

// Problem is an error answer: RFC 9457 with a few members more. It is an error.
type Problem struct {
	Type   string `json:"type" doc:"Identifies the kind of problem: urn:flagside:problem: and its name. There may be more one day."`
	Title  string `json:"title" doc:"The HTTP status in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail,omitempty" doc:"What is wrong and what to do, in one or two sentences."`
	// Errors are the places that are wrong.
	Errors []ProblemPlace `json:"errors,omitempty" nullable:"false" doc:"The places that are wrong, if there are any to name."`
	// Current is the revision that the document has.
	Current string `json:"current,omitempty" doc:"The revision that the document has now, if it exists."`
	// OpID is the op-id of a change whose fate is not known.
	OpID    string `json:"opId,omitempty" doc:"The op-id under which an undecided change will stand in the log if it is written."`
	Request string `json:"request,omitempty" doc:"The id of the change request that is concerned."`
	// Moved are the documents that a stale change request was made from.
	Moved []Base `json:"moved,omitempty" nullable:"false" doc:"What a stale change request was made from and has changed since, with the revisions that it has now."`
	// Action and Policies are what policies do not permit, and which of them decided.
	Action    string   `json:"action,omitempty" doc:"What policies do not permit."`
	Policies  []string `json:"policies,omitempty" nullable:"false" doc:"The policies that decided."`
	Approvals int      `json:"approvals,omitzero" doc:"How many people must agree in all before policies permit it: open a change request."`
	Risk      *Risk    `json:"risk,omitempty" doc:"What the change puts at stake."`

	headers http.Header
}

// Base is a document and a revision of it.
type Base struct {
	Kind     string `json:"kind"`
	Key      string `json:"key"`
	Revision uint64 `json:"revision" doc:"0 if the document does not exist."`
}

func newBases(list []requests.Base) []Base {
	var all []Base
	for _, b := range list {
		all = append(all, Base{Kind: string(b.Kind), Key: b.Key, Revision: b.Revision})
	}
	return all
}

// ProblemPlace is one thing that is wrong.
type ProblemPlace struct {
	Kind     string `json:"kind,omitempty" doc:"The kind of the document: flag, segment or settings."`
	Key      string `json:"key,omitempty" doc:"The key of the document."`
	Pointer  string `json:"pointer,omitempty" doc:"The place in the document, a JSON pointer (RFC 6901)."`
	Location string `json:"location,omitempty" doc:"The place in the request when it is not in a document."`
	Reason   string `json:"reason" doc:"What is wrong."`
	Hint     string `json:"hint,omitempty" doc:"What to do."`

	// File is file, line and column of the place, for a client that has read the document from a file. The API never has it.
	File string `json:"-"`
}

// Error returns the detail and the places, one a line.
func (p *Problem) Error() string {
	lines := []string{p.Detail}
	if p.Detail == "" {
		lines[0] = p.Title
	}
	for _, e := range p.Errors {
		lines = append(lines, e.line())
	}
	return strings.Join(lines, "\n")
}

func (p ProblemPlace) line() string {
	var parts []string
	for _, part := range []string{p.Kind, p.Key, p.Pointer, p.Location} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, " ") + ": " + p.Reason
	if p.File != "" {
		text = p.File + ": " + text
	}
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// GetStatus returns the HTTP status to answer with.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns headers to answer with.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType turns a JSON type into that of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, kind, detail string) *Problem {
	return &Problem{Type: kind, Title: http.StatusText(status), Status: status, Detail: detail}
}

// later marks a problem that may be gone when the same is asked again.
func (p *Problem) later() *Problem {
	p.headers = http.Header{"Retry-After": {"1"}}
	return p
}

// fromFramework turns the errors that the framework makes into problems like all others. What was sent is not repeated.
func fromFramework(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(e.Status, frameworkType(e.Status), capitalised(e.Detail))
	for _, d := range e.Errors {
		p.Errors = append(p.Errors, ProblemPlace{Location: d.Location, Reason: d.Message})
	}
	return p, nil
}

func frameworkType(status int) string {
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return typeTooLarge
	case status == http.StatusUnsupportedMediaType:
		return typeMediaType
	case status >= http.StatusInternalServerError:
		return typeInternal
	default:
		return typeInvalidRequest
	}
}

func capitalised(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
