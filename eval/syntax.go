package eval

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	outOfRange []*syntax // numbers that are too large for 64-bit floating point
}

// parser reads documents into syntax. Its zero value is ready; used for many documents it spares most of the memory that growing slices
// and repeated member names cost. It belongs to one goroutine.
type parser struct {
	shares   bool // strings are parts of the source, which is not modified afterwards
	forgets  bool // what is read is needed until the next document is read, and no longer
	decoder  *jsontext.Decoder
	buffer   bytes.Buffer      // what decoder reads
	names    map[string]string // every member name that was met, so that documents share them
	labels   map[labelsKey]*labels
	variants map[string]*variantList // by their text
	// The members of objects and the items of arrays that are not closed yet.
	openNames []string
	openItems []syntax
	room      []syntax // for items that are forgotten
}

// parseSyntax reads exactly one JSON value. Errors are or wrap *jsontext.SyntacticError.
func parseSyntax(source []byte, lenientText bool) (*parsed, error) {
	return new(parser).parse(source, lenientText)
}

// parse reads exactly one JSON value. Errors are or wrap *jsontext.SyntacticError.
func (r *parser) parse(source []byte, lenientText bool) (*parsed, error) {
	r.openNames, r.openItems, r.room = r.openNames[:0], r.openItems[:0], r.room[:0]
	d := r.decode(source, lenientText)
	p := &parsed{source: source}
	var err error
	if p.root, err = r.read(d, source, 0); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: errors.New("more than one JSON value")}
		}
		return nil, err
	}
	p.inspect(&p.root)
	return p, nil
}

// decode returns a decoder of source, which the next call uses again.
func (r *parser) decode(source []byte, lenientText bool) *jsontext.Decoder {
	r.buffer = *bytes.NewBuffer(source)
	if r.decoder == nil {
		r.decoder = new(jsontext.Decoder)
	}
	r.decoder.Reset(&r.buffer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(lenientText))
	return r.decoder
}

func (r *parser) read(d *jsontext.Decoder, source []byte, depth int) (s syntax, err error) {
	if depth > maxDocumentDepth {
		return s, &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: fmt.Errorf("nested deeper than %d levels", maxDocumentDepth)}
	}
	token, err := d.ReadToken()
	if err != nil {
		return s, err
	}
	s.end = int(d.InputOffset())
	switch token.Kind() {
	case 'n':
		s.kind, s.start = kindNull, s.end-len("null")
	case 't', 'f':
		s.kind, s.text = kindBool, strconv.FormatBool(token.Kind() == 't')
		s.start = s.end - len(s.text)
	case '0':
		s.kind, s.start = kindNumber, startOfNumber(source, s.end)
		s.text = r.text(token, source[s.start:s.end])
	case '"':
		s.kind, s.start = kindString, startOfString(source, s.end)
		s.text = r.text(token, source[s.start+1:s.end-1])
	case '[', '{':
		s.kind, s.start = kindArray, s.end-1
		if token.Kind() == '{' {
			s.kind = kindObject
		}
		err = r.readItems(d, source, &s, depth)
	}
	return s, err
}

// readItems reads what is left of an array or an object.
func (r *parser) readItems(d *jsontext.Decoder, source []byte, s *syntax, depth int) error {
	names, items := len(r.openNames), len(r.openItems)
	for {
		switch d.PeekKind() {
		case ']', '}':
			s.names = exact(r.openNames[names:])
			s.items = r.items(r.openItems[items:])
			r.openNames, r.openItems = r.openNames[:names], r.openItems[:items]
			_, err := d.ReadToken()
			s.end = int(d.InputOffset())
			return err
		}
		if s.kind == kindObject {
			name, err := d.ReadToken()
			if err != nil {
				return err
			}
			r.openNames = append(r.openNames, r.shared(name, source[:d.InputOffset()]))
		}
		item, err := r.read(d, source, depth+1)
		if err != nil {
			return err
		}
		r.openItems = append(r.openItems, item)
	}
}

// text returns what a token says, of which raw is the spelling without quotes. It is a part of the source if that may be and is spelled so.
func (r *parser) text(token jsontext.Token, raw []byte) string {
	if r.shares && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return alias(raw)
	}
	return token.String()
}

// items returns a copy of what is open without spare room, nil of nothing.
func (r *parser) items(open []syntax) []syntax {
	if !r.forgets || len(open) == 0 {
		return exact(open)
	}
	begin := len(r.room)
	r.room = append(r.room, open...) // what was taken from it before stays where it is, also when it moves
	return r.room[begin:len(r.room):len(r.room)]
}

// exact returns a copy without spare room, nil of nothing.
func exact[T any](open []T) []T {
	if len(open) == 0 {
		return nil
	}
	closed := make([]T, len(open))
	copy(closed, open)
	return closed
}

// shared returns the same string for equal names, of which the last one read ends the source.
func (r *parser) shared(token jsontext.Token, source []byte) string {
	raw := source[startOfString(source, len(source))+1 : len(source)-1]
	if known, ok := r.names[string(raw)]; ok && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return known
	}
	name := token.String()
	if known, ok := r.names[name]; ok {
		return known
	}
	if r.names == nil {
		r.names = make(map[string]string)
	}
	r.names[name] = name
	return name
}

// startOfNumber returns the offset of the number that ends before end.
func startOfNumber(source []byte, end int) int {
	for end > 0 && isPartOfNumber(source[end-1]) {
		end--
	}
	return end
}

func isPartOfNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
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

// inspect looks for what is JSON and yet a mistake wherever it stands.
func (p *parsed) inspect(s *syntax) {
	switch n := len(s.names); {
	case s.kind == kindNumber && math.IsInf(s.number(), 0):
		p.outOfRange = append(p.outOfRange, s)
	case n > fewMembers:
		p.findAmongMany(s)
	case n > 1:
		for i, name := range s.names {
			if slices.Contains(s.names[:i], name) {
				p.duplicates = append(p.duplicates, &s.items[i])
			}
		}
	}
	for i := range s.items {
		p.inspect(&s.items[i])
	}
}

// fewMembers is how many members are compared with each other faster than by a map.
const fewMembers = 16

func (p *parsed) findAmongMany(s *syntax) {
	seen := make(map[string]struct{}, len(s.names))
	for i, name := range s.names {
		if _, again := seen[name]; again {
			p.duplicates = append(p.duplicates, &s.items[i])
		}
		seen[name] = struct{}{}
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
