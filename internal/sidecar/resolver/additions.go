package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// Additions are attributes that evaluation contexts get beside those of the request. An attribute from a header comes before a static one,
// and that before one of the request, as with flagd. The zero value adds nothing.
type Additions struct {
	// Static has the values of attributes by name.
	Static map[string]string
	// Headers has the names of attributes by the request header that has the value. A header that is missing or empty adds nothing.
	Headers map[string]string
}

// Validate returns why contexts cannot be given the attributes.
func (a Additions) Validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(a.Static)) {
		errs = append(errs, validateAttribute(name))
	}
	from := make(map[string]string)
	for _, header := range slices.Sorted(maps.Keys(a.Headers)) {
		attribute := a.Headers[header]
		errs = append(errs, validateAttribute(attribute))
		if header == "" || strings.ContainsAny(header, " \t\r\n:=,") {
			errs = append(errs, fmt.Errorf("%q is no name of a header", header))
		}
		if other, taken := from[attribute]; taken {
			errs = append(errs, fmt.Errorf("attribute %q is taken from two headers, %s and %s", attribute, other, header))
		}
		from[attribute] = header
	}
	return errors.Join(errs...)
}

func validateAttribute(name string) error {
	switch name {
	case "":
		return errors.New("an attribute needs a name")
	case "$flagd":
		return errors.New("attribute $flagd belongs to the evaluation and cannot be set")
	default:
		return nil
	}
}

// addition is one attribute that contexts get.
type addition struct {
	name    string
	encoded []byte // the name as JSON
	header  string // that has the value; empty if none has
	static  []byte // the value as JSON while the header has none; nil leaves the attribute to the request
}

// newAdditions returns the additions ready for use, by the name of the attribute.
func newAdditions(a Additions) []addition {
	byName := make(map[string]addition)
	for name, value := range a.Static {
		byName[name] = addition{name: name, static: appendText(nil, []byte(value))}
	}
	for header, name := range a.Headers {
		one := byName[name]
		one.name, one.header = name, textproto.CanonicalMIMEHeaderKey(header)
		byName[name] = one
	}
	all := make([]addition, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		one := byName[name]
		one.encoded = appendText(nil, []byte(name))
		all = append(all, one)
	}
	return all
}

// appendText appends text as a JSON string. Invalid UTF-8 is replaced.
func appendText(b, text []byte) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// TakeHeaders gives q what it needs of the headers of its request, which get returns by name, nil if there is none. They must stay as they are until End.
// It comes before AskAll and SetContext.
func (q *Request) TakeHeaders(get func(name string) []byte) {
	if q.resolver.verbose {
		q.trace = parseTrace(get(headerTrace))
	}
	for i := range q.resolver.additions {
		var value []byte
		if header := q.resolver.additions[i].header; header != "" {
			value = get(header)
		}
		q.merging.headers = append(q.merging.headers, value)
	}
}

// merging is the working memory of one merge. The zero value is ready to use.
type merging struct {
	headers [][]byte // the value of the header of each addition; empty before TakeHeaders
	merged  []byte
	name    []byte
	source  bytes.Buffer
	decoder jsontext.Decoder
}

// maxKeptMerged bounds the memory for a merged context that a Request keeps.
const maxKeptMerged = 16 << 10

// reset lets go of the request.
func (m *merging) reset() {
	clear(m.headers)
	m.headers, m.merged = m.headers[:0], m.merged[:0]
	if cap(m.merged) > maxKeptMerged {
		m.merged = nil
	}
	if m.source.Cap() > 0 {
		m.source = bytes.Buffer{}
		m.decoder.Reset(&m.source)
	}
}

// effective returns the context that q is evaluated with: data with the additions. It is data itself if there are none, and otherwise
// valid until the next call or End.
func (q *Request) effective(data []byte) ([]byte, error) {
	if len(q.resolver.additions) == 0 {
		return data, nil
	}
	if err := q.merge(bytes.Trim(data, " \t\r\n")); err != nil {
		return nil, fmt.Errorf("%w: %w", eval.ErrInvalidContext, errContext)
	}
	return q.merging.merged, nil
}

// errContext says why nothing can be added to a context. It does not quote it.
var errContext = errors.New("it is no JSON object, or not valid JSON")

// merge writes the members of data that no addition replaces, and then the additions.
func (q *Request) merge(data []byte) error {
	m := &q.merging
	m.merged = append(m.merged[:0], '{')
	if len(data) > 0 {
		m.source = *bytes.NewBuffer(data)
		m.decoder.Reset(&m.source, jsontext.AllowDuplicateNames(q.Lenient()), jsontext.AllowInvalidUTF8(true))
		if err := q.mergeRequest(); err != nil {
			return err
		}
		if !q.Lenient() && m.decoder.InputOffset() < int64(len(data)) {
			return errContext
		}
	}
	for i := range q.resolver.additions {
		m.merged = q.appendAddition(m.merged, i)
	}
	m.merged = append(m.merged, '}')
	return nil
}

// appendAddition appends a member for the addition, unless it has no value.
func (q *Request) appendAddition(b []byte, i int) []byte {
	if !q.replaces(i) {
		return b
	}
	a := &q.resolver.additions[i]
	b = append(append(appendComma(b), a.encoded...), ':')
	if header := q.header(i); len(header) > 0 {
		return appendText(b, header)
	}
	return append(b, a.static...)
}

// header returns the value of the header that an addition comes from, empty if there is none.
func (q *Request) header(i int) []byte {
	if i < len(q.merging.headers) {
		return q.merging.headers[i]
	}
	return nil
}

// replaces reports whether an addition has a value, which takes the place of the request's.
func (q *Request) replaces(i int) bool {
	return q.resolver.additions[i].static != nil || len(q.header(i)) > 0
}

// replaced reports whether an addition takes the place of an attribute of the request.
func (q *Request) replaced(name []byte) bool {
	for i := range q.resolver.additions {
		if q.resolver.additions[i].name == string(name) {
			return q.replaces(i)
		}
	}
	return false
}

// mergeRequest copies the members of the request that stay. Strictly, only null may stand in the place of an object; with flagd, anything
// may.
func (q *Request) mergeRequest() error {
	m := &q.merging
	if kind := m.decoder.PeekKind(); kind != '{' {
		_, err := m.decoder.ReadValue()
		if err == nil && kind != 'n' && !q.Lenient() {
			return errContext
		}
		return err
	}
	if _, err := m.decoder.ReadToken(); err != nil {
		return err
	}
	for m.decoder.PeekKind() == '"' {
		if err := q.mergeMember(); err != nil {
			return err
		}
	}
	_, err := m.decoder.ReadToken()
	return err
}

func (q *Request) mergeMember() error {
	m := &q.merging
	name, err := m.decoder.ReadValue()
	if err != nil {
		return err
	}
	m.name, _ = jsontext.AppendUnquote(m.name[:0], name) // the decoder has checked it; what is not UTF-8 is replaced
	replaced := q.replaced(m.name)
	if !replaced { // before the decoder reads on, because name is a part of its buffer
		m.merged = append(append(appendComma(m.merged), name...), ':')
	}
	value, err := m.decoder.ReadValue()
	if err == nil && !replaced {
		m.merged = append(m.merged, value...)
	}
	return err
}
