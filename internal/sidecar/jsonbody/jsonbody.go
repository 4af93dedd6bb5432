// Package jsonbody reads what applications tell about usage: request bodies of JSON with members of known types.
package jsonbody

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Shape says for errors what a body must be.
type Shape struct {
	// Whole ends a sentence about the body, for example "want an object".
	Whole string
	// Members has the same of the members, by name. That of the elements of a list ends with a slash, for example "flags/"; "/" is for those of a
	// body that is a list.
	Members map[string]string
}

// Read decodes a body. Members that into does not have are ignored, and what is not UTF-8 is replaced. A duplicate name, or more after the JSON, is an
// error. Errors name the place, and never quote what stands there.
func Read(body []byte, into any, s Shape) error {
	err := json.Unmarshal(body, into, jsontext.AllowInvalidUTF8(true))
	if err == nil {
		return nil
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return s.unlike(string(semantic.JSONPointer))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the body ends before the JSON does")
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Errorf("at byte %d: a member is there twice", syntax.ByteOffset)
		}
		return fmt.Errorf("at byte %d: not valid JSON", syntax.ByteOffset)
	}
	return errors.New("not valid JSON")
}

// unlike says what must be at a place of the body.
func (s Shape) unlike(pointer string) error {
	if pointer == "" {
		return errors.New("the body: " + s.Whole)
	}
	parts := strings.Split(pointer, "/")
	last, parent := parts[len(parts)-1], parts[len(parts)-2]
	if last >= "0" && last < ":" { // the place in a list
		last = parent + "/"
	}
	if want, known := s.Members[last]; known {
		return fmt.Errorf("%s: %s", pointer, want)
	}
	return fmt.Errorf("%s: another type of value than it must have", pointer)
}
