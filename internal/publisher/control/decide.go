package control

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Decide derives from a state what a command leads to. The error is always a *Refusal.
func Decide(s State, c Command) (Decision, error) { return c.decide(s) }

func (p Put) decide(s State) (Decision, error) {
	if err := p.ID.Validate(); err != nil {
		return Decision{}, &Refusal{Cause: CauseMalformed, Detail: sentence(err)}
	}
	body, err := compact(p.Body)
	if err != nil {
		return Decision{}, err
	}
	live, exists := s.Document(p.ID)
	if err := p.If.check(s, p.ID, live, exists); err != nil {
		return Decision{}, err
	}
	if exists && bytes.Equal(live.Body, body) {
		return Decision{Unchanged: Token(s, live)}, nil
	}
	change := []document.Document{{Kind: p.ID.Kind, Key: p.ID.Key, Body: body}}
	candidate := Compile(s, change)
	if len(candidate.Problems) > 0 {
		return Decision{}, &Refusal{Cause: CauseInvalid, Detail: "The document cannot be published as it is.", Problems: candidate.Problems}
	}
	return candidate.decision(), nil
}

func (d Delete) decide(s State) (Decision, error) {
	candidate, err := d.compile(s)
	if err != nil {
		return Decision{}, err
	}
	if len(candidate.Problems) > 0 {
		return Decision{}, inUse(d.ID, candidate.Problems)
	}
	return candidate.decision(), nil
}

// compile returns what is left without the document.
func (d Delete) compile(s State) (*Candidate, error) {
	live, exists := s.Document(d.ID)
	if !exists {
		return nil, NotFound(d.ID)
	}
	if err := d.If.check(s, d.ID, live, exists); err != nil {
		return nil, err
	}
	return Compile(s, []document.Document{{Kind: d.ID.Kind, Key: d.ID.Key}}), nil
}

func inUse(id document.ID, problems eval.Problems) *Refusal {
	return &Refusal{
		Cause:    CauseInUse,
		Detail:   fmt.Sprintf("Others depend on %s %q: change or delete them first.", id.Kind, id.Key),
		Problems: problems,
	}
}

// check refuses a command whose author has not seen the document as it is.
func (p Precondition) check(s State, id document.ID, live document.Document, exists bool) error {
	switch {
	case p == Precondition{}:
		return &Refusal{Cause: CausePreconditionMissing, Detail: "Say what you have seen: If-Match with the ETag of the document, " +
			"or If-None-Match: * to create it."}
	case p.Absent && exists:
		return p.failed(Token(s, live), "The %s %q exists already.", id.Kind, id.Key)
	case p.Absent:
		return nil
	case !exists:
		return p.failed(changelog.Token{}, "The %s %q does not exist, or no longer.", id.Kind, id.Key)
	case !p.Match.In(s.Position().Epoch):
		return p.failed(Token(s, live), "Revision %s belongs to another history of the environment, which was restored or recreated: "+
			"read the document again.", p.Match)
	case p.Match.Revision != live.Revision:
		return p.failed(Token(s, live), "The %s %q was changed since revision %s: read it again.", id.Kind, id.Key, p.Match)
	}
	return nil
}

func (p Precondition) failed(current changelog.Token, format string, args ...any) error {
	return &Refusal{Cause: CausePreconditionFailed, Detail: fmt.Sprintf(format, args...), Current: current}
}

// compact returns a document as it is logged, or why it cannot be.
func compact(body []byte) ([]byte, error) {
	compacted, err := changelog.CompactDocument(body)
	if err == nil {
		return compacted, nil
	}
	if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return nil, &Refusal{Cause: CauseMalformed, Detail: "The document is not one JSON value: " + err.Error() + "."}
	}
	return nil, &Refusal{Cause: CauseTooLarge, Detail: sentence(err)}
}

// sentence writes an error as one.
func sentence(err error) string {
	text := err.Error()
	if text[0] >= 'a' && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text + "."
}
