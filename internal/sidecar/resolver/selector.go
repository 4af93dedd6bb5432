package resolver

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// ErrSelector says that a selector cannot be used.
var ErrSelector = errors.New("the selector cannot be used")

// Selector narrows what is asked for to one flag set. Its zero value selects every flag. It belongs to one goroutine.
type Selector struct {
	active  bool
	set     []byte // the flag set; empty selects the flags without one
	encoded []byte // the selection as metadata
}

// Parse makes s what an expression says. It has the form of flagd's selectors, "flagSetId=name"; without a name it selects the flags that
// belong to no flag set. An empty expression selects every flag. Flags have no source here, so flagd's selection by source is refused. Errors
// wrap ErrSelector. Parse does not keep the expression.
func (s *Selector) Parse(expression []byte) error {
	s.active, s.set = false, s.set[:0]
	expression = bytes.TrimSpace(expression)
	if len(expression) == 0 {
		return nil
	}
	key, set, found := bytes.Cut(expression, []byte("="))
	switch {
	case found && string(key) == "flagSetId":
		s.choose(set)
		return nil
	case !found || string(key) == "source":
		return fmt.Errorf("%w: flags have no source here, select with flagSetId=name", ErrSelector)
	default:
		return fmt.Errorf("%w: its key is not flagSetId: select with flagSetId=name", ErrSelector)
	}
}

func (s *Selector) choose(set []byte) {
	s.active = true
	s.set = append(s.set[:0], set...)
	s.encoded = append(s.encoded[:0], `{"flagSetId":`...)
	s.encoded, _ = jsontext.AppendQuote(s.encoded, set) // invalid UTF-8 is replaced; such a set matches nothing
	s.encoded = append(s.encoded, '}')
}

// Selects reports whether a flag is selected.
func (s *Selector) Selects(flag *eval.Flag) bool {
	return !s.active || string(s.set) == flag.SetID()
}

// Metadata returns the selection as a JSON object, which is the metadata of an answer that belongs to no flag. It is valid until the next
// Parse and must not be modified.
func (s *Selector) Metadata() []byte {
	if !s.active {
		s.encoded = append(s.encoded[:0], "{}"...)
	}
	return s.encoded
}
