package admin

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

func newBases(list []requests.Base) []api.Base {
	var all []api.Base
	for _, b := range list {
		all = append(all, api.Base{Kind: string(b.Kind), Key: b.Key, Revision: b.Revision})
	}
	return all
}

// problem is an error answer with its headers, as huma wants one.
type problem struct {
	api.Problem

	headers http.Header
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status to answer with.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders returns headers to answer with.
func (p *problem) GetHeaders() http.Header { return p.headers }

// ContentType turns a JSON type into that of problems.
func (p *problem) ContentType(string) string { return api.ProblemMedia }

func newProblem(status int, kind, detail string) *problem {
	return &problem{Problem: api.Problem{Type: kind, Title: http.StatusText(status), Status: status, Detail: detail}}
}

// later marks a problem that may be gone when the same is asked again.
func (p *problem) later() *problem {
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
		p.Errors = append(p.Errors, api.ProblemPlace{Location: d.Location, Reason: d.Message})
	}
	return p, nil
}

func frameworkType(status int) string {
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return api.ProblemTooLarge
	case status == http.StatusUnsupportedMediaType:
		return api.ProblemMediaType
	case status >= http.StatusInternalServerError:
		return api.ProblemInternal
	default:
		return api.ProblemInvalidRequest
	}
}

func capitalised(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
