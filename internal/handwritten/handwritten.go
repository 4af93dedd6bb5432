// Package handwritten reads the documents that people write, in JSON or YAML, and remembers where everything stands, so that what is wrong
// with a document is told with its file, line and column.
package handwritten

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/eval"
)

// Text is one document. Create it with Read or Open.
type Text struct {
	name  string
	json  []byte
	marks []mark // by offset in json; nil if that is what people wrote
}

// mark says where a part of the JSON was written.
type mark struct {
	offset       int
	line, column int
}

// Mistake is why content is no document: what is wrong, and where in its file.
type Mistake struct {
	Name         string // of the file
	Line, Column int    // 1-based; columns count bytes
	Reason       string
}

// Error begins with the place, as compilers write it.
func (m *Mistake) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.Name, m.Line, m.Column, m.Reason)
}

// Read reads a document of the file with the name. One that ends with .yaml or .yml is YAML, one that ends with .json is JSON; of any other, what
// begins with a brace or a bracket is JSON. The error of what is neither begins with its place. That of YAML is a *Mistake.
func Read(name string, content []byte) (*Text, error) {
	t, err := Open(name, content)
	if err != nil {
		return nil, err
	}
	if problem, ok := eval.CheckJSON(t.json); !ok {
		return nil, t.Problem(problem)
	}
	return t, nil
}

// Open is Read for a reader of JSON that finds the mistakes in it: what is not YAML is taken as it is.
func Open(name string, content []byte) (*Text, error) {
	t := &Text{name: name, json: content}
	if !isYAML(name, content) {
		return t, nil
	}
	if problem, ok := eval.CheckEncoding(content); !ok {
		return nil, t.Problem(problem)
	}
	var err error
	if t.json, t.marks, err = fromYAML(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))); err != nil {
		if m, ok := errors.AsType[*Mistake](err); ok {
			m.Name = name
		}
		return nil, err
	}
	return t, nil
}

func isYAML(name string, content []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml":
		return true
	case ".json":
		return false
	}
	content = bytes.TrimLeft(content, " \t\r\n")
	if _, ok := eval.CheckEncoding(content); len(content) == 0 || !ok {
		return false
	}
	return content[0] != '{' && content[0] != '['
}

// JSON returns the document as JSON. It must not be changed.
func (t *Text) JSON() []byte { return t.json }

// Problem returns a problem of the document with the place in the file, as compilers write it. The problem has a place in the JSON, or none.
func (t *Text) Problem(p eval.Problem) error {
	place := t.name
	if p.Line > 0 {
		place = t.place(p.Line, p.Column)
	}
	p.Line, p.Column = 0, 0
	return fmt.Errorf("%s: %w", place, p)
}

// At returns line and column in the file of a problem of the document; zeros if the problem has no place.
func (t *Text) At(p eval.Problem) (line, column int) {
	if p.Line > 0 && t.marks != nil {
		return t.written(p.Line, p.Column)
	}
	return p.Line, p.Column
}

// Place returns file, line and column of the value that a JSON pointer (RFC 6901) leads to, or of what contains it if there is none.
func (t *Text) Place(pointer string) string { return t.place(eval.Locate(t.json, pointer)) }

// place returns file, line and column of a place in the JSON.
func (t *Text) place(line, column int) string {
	if t.marks != nil {
		line, column = t.written(line, column)
	}
	return fmt.Sprintf("%s:%d:%d", t.name, line, column)
}

// written returns where what stands at a place of the JSON was written. The JSON that is made of YAML has one line.
func (t *Text) written(_, column int) (line, at int) {
	found := mark{line: 1, column: 1}
	for _, m := range t.marks {
		if m.offset > column-1 {
			break
		}
		found = m
	}
	return found.line, found.column
}
