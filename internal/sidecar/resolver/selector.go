package resolver

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// ErrSelector is wrapped by the errors of Request.Select.
var ErrSelector = errors.New("the selector cannot be used")

// selector narrows a request to one flag set. Its zero value selects every flag.
type selector struct {
	active  bool
	set     []byte // the flag set; empty selects the flags without one
	encoded []byte // the selection as metadata
}

// Select narrows q to the flags that the expression selects. It has the form of flagd's selectors, "flagSetId=name"; without a name
// it selects the flags that belong to no flag set. An empty expression selects every flag. Flags have no source here, so flagd's
// selection by source is refused.
func (q *Request) Select(expression []byte) error {
	expression = bytes.TrimSpace(expression)
	if len(expression) == 0 {
		return nil
	}
	key, set, found := bytes.Cut(expression, []byte("="))
	switch {
	case found && string(key) == "flagSetId":
		q.selector.choose(set)
		return nil
	case !found || string(key) == "source":
		return fmt.Errorf("%w: flags have no source here, select with flagSetId=name", ErrSelector)
	default:
		return fmt.Errorf("%w: its key is not flagSetId", ErrSelector)
	}
}

func (s *selector) choose(set []byte) {
	s.active = true
	s.set = append(s.set[:0], set...)
	s.encoded = append(s.encoded[:0], `{"flagSetId":`...)
	s.encoded, _ = jsontext.AppendQuote(s.encoded, set) // invalid UTF-8 is replaced; such a set matches nothing
	s.encoded = append(s.encoded, '}')
}

func (s *selector) reset() { s.active = false }

func (s *selector) matches(flag *eval.Flag) bool {
	return !s.active || string(s.set) == flag.SetID()
}

func (s *selector) metadata() []byte {
	if !s.active {
		s.encoded = append(s.encoded[:0], "{}"...)
	}
	return s.encoded
}

// Selects reports whether the selector includes a flag. It needs Select at most, not Begin.
func (q *Request) Selects(flag *eval.Flag) bool { return q.selector.matches(flag) }
