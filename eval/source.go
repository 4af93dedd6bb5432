package eval

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
)

// maxProblems bounds how many warnings of one document are reported, and how many other problems.
const maxProblems = 100

// parseDocument parses the body of a single document; see [parser.document].
func parseDocument(d document.Document) (*parsed, *Problem) { return new(parser).document(d) }

// document parses the body of a document. If it is not JSON, the problem says where.
func (r *parser) document(d document.Document) (*parsed, *Problem) {
	r.shares = true
	p, err := r.parse(d.Body, true)
	if err != nil {
		return nil, &Problem{Kind: d.Kind, Key: d.Key, Reason: syntaxReason(err)}
	}
	return p, nil
}

// syntaxReason says what is wrong with text that is not JSON, without the place.
func syntaxReason(err error) string {
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok && s.Err != nil {
		return "this is not JSON: " + s.Err.Error()
	}
	return "this is not JSON: " + err.Error()
}

// reporter returns a function that collects problems of a document, with their pointers.
func reporter(d document.Document, p *parsed, into *Problems) func(*syntax, Problem) {
	return func(at *syntax, problem Problem) {
		if len(*into) >= maxProblems && problem.Warning || len(*into) >= 2*maxProblems {
			return
		}
		problem.Kind, problem.Key = d.Kind, d.Key
		problem.Pointer, _ = p.root.pointer(at)
		*into = append(*into, problem)
	}
}

// reportMistakes reports what is JSON and yet a mistake wherever it stands.
func reportMistakes(p *parsed, c Compatibility, report func(*syntax, Problem)) {
	for _, at := range p.duplicates {
		report(at, Problem{Reason: "this member is named twice", Hint: "remove one of them", Warning: c == CompatibilityFlagd})
	}
	for _, at := range p.outOfRange {
		report(at, Problem{Reason: "this number is too large", Hint: "numbers go up to 1.7976931348623157e308"})
	}
}
