package decide

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Put creates or replaces one document. A document that is identical to the live one changes nothing, and nothing is written.
type Put struct {
	ID   document.ID
	Body []byte // JSON; insignificant white space is removed
	If   Precondition
}

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
