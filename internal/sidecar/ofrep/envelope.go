package ofrep

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// errBody is wrapped by the errors about request bodies. They name the place, so they are for the client and for no log.
var errBody = errors.New("the request body cannot be used")

// blanks is the white space of JSON.
const blanks = " \t\r\n"

// contextMember is the member of bodies that holds the evaluation context.
const contextMember = "context"

// envelope finds the evaluation context in request bodies, objects like {"context":{...}}. The zero value is ready to use, and it may
// be reused; it belongs to one goroutine.
type envelope struct {
	source  bytes.Buffer
	decoder jsontext.Decoder
	name    []byte
}

// context returns the part of body that is the evaluation context, nil if there is none: the body is empty, has no such member, or it
// is null. Other members are ignored. Text need not be UTF-8: the evaluator replaces what is not.
//
// A body is refused if it is not one JSON object without duplicate names, or if the context is not an object. Lenient decoding does
// as the flagd daemon does: the last of duplicate names wins, names are compared without case, what follows the object is ignored, and
// so is a null instead of it; a context of another type is left to the evaluator.
func (e *envelope) context(body []byte, lenient bool) ([]byte, error) {
	body = bytes.Trim(body, blanks)
	if len(body) == 0 || lenient && string(body) == "null" {
		return nil, nil
	}
	e.source = *bytes.NewBuffer(body)
	e.decoder.Reset(&e.source, jsontext.AllowDuplicateNames(lenient), jsontext.AllowInvalidUTF8(true))
	context, err := e.find(body, lenient)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, place(err))
	}
	return context, nil
}

// EvaluationContext returns the evaluation context in the body of a request, as part of it, nil if there is none. Lenient decoding does as the
// flagd daemon does. Errors name the place, so they are for the client and for no log.
func EvaluationContext(body []byte, lenient bool) ([]byte, error) {
	return new(envelope).context(body, lenient)
}

// forget lets go of the body.
func (e *envelope) forget() {
	e.source = bytes.Buffer{}
	e.decoder.Reset(&e.source)
}

func (e *envelope) find(body []byte, lenient bool) (context []byte, err error) {
	if kind := e.decoder.PeekKind(); kind != '{' && kind != 0 {
		return nil, errors.New("it is not a JSON object")
	}
	if _, err := e.decoder.ReadToken(); err != nil {
		return nil, err
	}
	for e.decoder.PeekKind() == '"' {
		wanted, err := e.readName(lenient)
		if err != nil {
			return nil, err
		}
		value, err := e.decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		if !wanted {
			continue
		}
		if !lenient && value[0] != '{' && value[0] != 'n' {
			return nil, errors.New("/context is neither an object nor null")
		}
		end := e.decoder.InputOffset()
		context = body[end-int64(len(value)) : end]
	}
	if _, err := e.decoder.ReadToken(); err != nil {
		return nil, err
	}
	if !lenient && e.decoder.InputOffset() < int64(len(body)) {
		return nil, fmt.Errorf("more follows the JSON object at byte %d", e.decoder.InputOffset())
	}
	return context, nil
}

// readName reads the name of a member and reports whether it is that of the context.
func (e *envelope) readName(lenient bool) (wanted bool, err error) {
	quoted, err := e.decoder.ReadValue()
	if err != nil {
		return false, err
	}
	e.name, _ = jsontext.AppendUnquote(e.name[:0], quoted) // the decoder has checked it; what is not UTF-8 is replaced
	if lenient {
		return bytes.EqualFold(e.name, []byte(contextMember)), nil
	}
	return string(e.name) == contextMember, nil
}

// place says where in the body an error of the decoder lies.
func place(err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("it ends before the JSON object does")
	case !ok:
		return err
	case syntax.JSONPointer == "":
		return fmt.Errorf("at byte %d: %w", syntax.ByteOffset, syntax.Err)
	default:
		return fmt.Errorf("%s at byte %d: %w", syntax.JSONPointer, syntax.ByteOffset, syntax.Err)
	}
}
