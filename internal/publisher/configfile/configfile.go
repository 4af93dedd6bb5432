// Package configfile reads files of configuration that list entries with names, such as webhooks and usage sinks, and name further files with secrets.
// What is wrong is told with its place in the file, and never with what a secret says.
package configfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/handwritten"
)

// Read returns the content of a file. Its errors may quote the name of a file that exists.
type Read func(file string) ([]byte, error)

// Entries says for messages what a file lists.
type Entries struct {
	// One and Many name an entry and the entries; Many is the member of the file that lists them, too.
	One, Many string
	// Members says which members an entry has.
	Members string
	// Names are those that an entry may have.
	Names *regexp.Regexp
}

// Mistake is what is wrong with a value of a file.
type Mistake struct {
	pointer string // RFC 6901
	reason  error
}

// Error returns what is wrong, without the place.
func (m *Mistake) Error() string { return m.reason.Error() }

// Wrong returns what is wrong with a member; empty is the whole.
func Wrong(member, format string, arguments ...any) *Mistake {
	if member != "" {
		member = "/" + member
	}
	return &Mistake{member, fmt.Errorf(format, arguments...)}
}

// At returns a mistake of the entry with an index, as one of the file; what is no mistake is returned as it is.
func (e Entries) At(index int, name string, err error) error {
	m, ok := errors.AsType[*Mistake](err)
	if !ok {
		return err
	}
	return &Mistake{fmt.Sprintf("/%s/%d%s", e.Many, index, m.pointer), fmt.Errorf("%s %s: %w", e.One, e.label(name, index), m.reason)}
}

// label names an entry, as far as it has a name.
func (e Entries) label(name string, index int) string {
	if e.Names.MatchString(name) {
		return name
	}
	return fmt.Sprint("number ", index+1)
}

// Parse reads a file, in JSON or YAML, into W, and completes that with the files that it names, which read returns. Relative names are relative to its
// folder.
func Parse[W, T any](name string, content []byte, e Entries, read Read, complete func(W, Read) (T, error)) (T, error) {
	var none T
	text, err := handwritten.Open(name, content)
	if err != nil {
		return none, err
	}
	var written W
	if err := json.Unmarshal(text.JSON(), &written, json.RejectUnknownMembers(true)); err != nil {
		m := e.shape(err)
		return none, fmt.Errorf("%s: %w", text.Place(m.pointer), m.reason)
	}
	c, err := complete(written, read.beside(name))
	if m, ok := errors.AsType[*Mistake](err); ok {
		return none, fmt.Errorf("%s: %w", text.Place(m.pointer), m.reason)
	}
	return c, err
}

// shape returns what is wrong with the JSON without what it says, which may be a secret.
func (e Entries) shape(err error) *Mistake {
	m := &Mistake{reason: fmt.Errorf("it is no file of %s: want %s, a list; %s", e.Many, e.Many, e.Members)}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		m.pointer = string(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			m.reason = errors.New("unknown member: " + e.Members)
		} else {
			m.reason = errors.New("another type of value than it must have")
		}
	}
	return m
}

// beside returns what reads the files that a file names.
func (read Read) beside(name string) Read {
	return func(file string) ([]byte, error) {
		if strings.Contains(file, "://") {
			return nil, errNoName
		}
		path := file
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(name), path)
		}
		content, err := read(path)
		return content, withoutName(err)
	}
}
