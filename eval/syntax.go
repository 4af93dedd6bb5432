package eval

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDocumentDepth bounds the nesting of a document.
const maxDocumentDepth = 256

// syntax is one JSON value of a document, with its place.
type syntax struct {
	kind  kind
	text  string   // contents of a string, literal of a number, "true" or "false"
	names []string // member names of an object, parallel to items
	items []syntax
	start int // offset of the first byte in the source
	end   int
}

// parsed is a document read into syntax.
type parsed struct {
	source     []byte
	root       syntax
	duplicates []*syntax // member values whose name occurred before in their object
}

// parseSyntax reads exactly one JSON value. The error, if any, wraps *jsontext.SyntacticError or is errDepth.
func parseSyntax(source []byte, lenientText bool) (*parsed, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(source), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(lenientText))
	p := &parsed{source: source}
	if err := p.read(d, &p.root, 0); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: errors.New("more than one JSON value")}
		}
		return nil, err
	}
	p.findDuplicates(&p.root)
	return p, nil
}

func (p *parsed) read(d *jsontext.Decoder, s *syntax, depth int) error {
	if depth > maxDocumentDepth {
		return &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: fmt.Errorf("nested deeper than %d levels", maxDocumentDepth)}
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	s.end = int(d.InputOffset())
	switch token.Kind() {
	case 'n':
		s.kind, s.start = kindNull, s.end-len("null")
	case 't', 'f':
		s.kind, s.text = kindBool, strconv.FormatBool(token.Kind() == 't')
		s.start = s.end - len(s.text)
	case '0':
		s.kind, s.text = kindNumber, token.String()
		s.start = s.end - len(s.text)
	case '"':
		s.kind, s.text = kindString, token.String()
		s.start = startOfString(p.source, s.end)
	case '[':
		s.kind, s.start = kindArray, s.end-1
		return p.readArray(d, s, depth)
	case '{':
		s.kind, s.start = kindObject, s.end-1
		return p.readObject(d, s, depth)
	}
	return nil
}

func (p *parsed) readArray(d *jsontext.Decoder, s *syntax, depth int) error {
	for d.PeekKind() != ']' {
		var item syntax
		if err := p.read(d, &item, depth+1); err != nil {
			return err
		}
		s.items = append(s.items, item)
	}
	return p.close(d, s)
}

func (p *parsed) readObject(d *jsontext.Decoder, s *syntax, depth int) error {
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		s.names = append(s.names, name.String())
		var item syntax
		if err := p.read(d, &item, depth+1); err != nil {
			return err
		}
		s.items = append(s.items, item)
	}
	return p.close(d, s)
}

func (p *parsed) close(d *jsontext.Decoder, s *syntax) error {
	_, err := d.ReadToken()
	s.end = int(d.InputOffset())
	return err
}

// startOfString returns the offset of the opening quote of the string that ends before end.
func startOfString(source []byte, end int) int {
	for i := end - 2; i >= 0; i-- {
		if source[i] != '"' {
			continue
		}
		slashes := 0
		for slashes < i && source[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return 0
}

func (p *parsed) findDuplicates(s *syntax) {
	if s.kind == kindObject && len(s.names) > 1 {
		seen := make(map[string]struct{}, len(s.names))
		for i, name := range s.names {
			if _, again := seen[name]; again {
				p.duplicates = append(p.duplicates, &s.items[i])
			}
			seen[name] = struct{}{}
		}
	}
	for i := range s.items {
		p.findDuplicates(&s.items[i])
	}
}

// member returns the value of the last member with the name, or nil.
func (s *syntax) member(name string) *syntax {
	for i := len(s.names) - 1; i >= 0; i-- {
		if s.names[i] == name {
			return &s.items[i]
		}
	}
	return nil
}

// operator returns the single member of an object, which is how rules spell an operation.
func (s *syntax) operator() (name string, arguments *syntax, ok bool) {
	if s.kind != kindObject || len(s.names) != 1 {
		return "", nil, false
	}
	return s.names[0], &s.items[0], true
}

// raw returns the text that s was read from.
func (s *syntax) raw(source []byte) []byte { return source[s.start:s.end] }

// number returns the value of a number literal.
func (s *syntax) number() float64 { return parseNumber(s.text) }

// value returns s as data: nothing in it is evaluated.
func (s *syntax) value() value {
	switch s.kind {
	case kindBool:
		return boolean(s.text == "true")
	case kindNumber:
		return number(s.number())
	case kindString:
		return text(s.text)
	case kindArray, kindObject:
		parts := &compound{items: make([]value, len(s.items)), names: s.names}
		for i := range s.items {
			parts.items[i] = s.items[i].value()
		}
		return value{kind: s.kind, ref: parts}
	default:
		return value{}
	}
}

// pointer returns the RFC 6901 pointer from s to target, which must be s or part of it.
func (s *syntax) pointer(target *syntax) (string, bool) {
	if s == target {
		return "", true
	}
	for i := range s.items {
		rest, ok := s.items[i].pointer(target)
		if !ok {
			continue
		}
		if s.kind == kindArray {
			return "/" + strconv.Itoa(i) + rest, true
		}
		return "/" + escapePointer(s.names[i]) + rest, true
	}
	return "", false
}

// find follows an RFC 6901 pointer as far as it leads.
func (s *syntax) find(pointer string) *syntax {
	if pointer == "" {
		return s
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		next := s.child(unescapePointer(token))
		if next == nil {
			return s
		}
		s = next
	}
	return s
}

func (s *syntax) child(token string) *syntax {
	if s.kind == kindObject {
		return s.member(token)
	}
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= len(s.items) {
		return nil
	}
	return &s.items[i]
}

func escapePointer(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

func unescapePointer(token string) string {
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
}
