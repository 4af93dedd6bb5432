package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/flagside/flagside/internal/handwritten"
)

// maxDocument bounds a document that is read from a file, in bytes. The publisher refuses smaller ones already, with a better reason.
const maxDocument = 16 << 20

// standardInput is the name of what is read from no file.
const standardInput = "standard input"

// readDocument reads JSON or YAML from a file, or from standard input when the file is "-", and returns JSON.
func (s *session) readDocument(file string) (*handwritten.Text, error) {
	text, err := readText(s.terminal.Stdin, file)
	if err != nil {
		return nil, err
	}
	if file == "-" {
		file = standardInput
	}
	document, err := handwritten.Read(file, text)
	if err != nil {
		return nil, &failure{code: exitInvalid, text: visible(err.Error())}
	}
	return document, nil
}

// decode reads a document into what the API takes, of which no member may be left out because it is not understood.
func decode(document *handwritten.Text, into any, what string) error {
	d := json.NewDecoder(bytes.NewReader(document.JSON()))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &failure{code: exitInvalid, text: visible(fmt.Sprintf("%s: %v", what, err))}
	}
	return nil
}

func readText(in io.Reader, file string) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case len(text) > maxDocument:
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxDocument)
	case len(text) == 0:
		return nil, errors.New("there is no document: name its file with --file, or write it to standard input")
	}
	return text, nil
}
