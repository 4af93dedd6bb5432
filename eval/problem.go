package eval

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/flagside/flagside/document"
)

// Problem is one reason why a document cannot be accepted or, when Warning is set, a slip that is tolerated.
type Problem struct {
	// Kind and Key name the document; both are empty when the file as a whole is meant.
	Kind document.Kind
	Key  string
	// Pointer is the place inside the document (RFC 6901); empty means the whole document.
	Pointer string
	// Reason is one clause that says what is wrong; Hint, if any, one that says what to do.
	Reason string
	Hint   string
	// Line and Column are the 1-based place in the file. ParseFile sets them, Update leaves them 0. Columns count bytes.
	Line   int
	Column int
	// Warning marks a slip that does not stop the document from being used.
	Warning bool
}

// ID returns the ID of the document, zero when the file as a whole is meant.
func (p Problem) ID() document.ID { return document.ID{Kind: p.Kind, Key: p.Key} }

// Error returns the problem as one sentence that includes its place.
func (p Problem) Error() string {
	var b strings.Builder
	if p.Line > 0 {
		b.WriteString("line " + strconv.Itoa(p.Line) + ", column " + strconv.Itoa(p.Column) + ": ")
	}
	if p.Kind != "" {
		b.WriteString(string(p.Kind) + " " + strconv.Quote(p.Key))
		if p.Pointer != "" {
			b.WriteString(" at " + p.Pointer)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Reason)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems is a list of problems, ordered by place. It is an error whose text has one problem a line.
type Problems []Problem

// Error returns all problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems that are not warnings as an error, or nil if there are none.
func (p Problems) Err() error {
	if fatal := p.fatal(); len(fatal) > 0 {
		return fatal
	}
	return nil
}

// fatal returns the problems that are not warnings.
func (p Problems) fatal() Problems {
	var fatal Problems
	for i := range p {
		if !p[i].Warning {
			fatal = append(fatal, p[i])
		}
	}
	return fatal
}

// sort orders the problems by line, column, kind, key, pointer and reason.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Pointer, b.Pointer),
			cmp.Compare(a.Reason, b.Reason),
		)
	})
}
