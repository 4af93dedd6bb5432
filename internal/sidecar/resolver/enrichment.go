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

// Enrichment is what evaluation contexts get beside the attributes of the request. An attribute from a header comes before a static one, and
// that before one of the request, as with flagd. The zero value adds nothing.
type Enrichment struct {
	// Static has the values of attributes by name.
	Static map[string]string
	// Headers has the names of attributes by the request header that has the value. A header that is missing or empty adds nothing.
	Headers map[string]string
}

// Validate returns why contexts cannot be given the attributes.
func (e Enrichment) Validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(e.Static)) {
		errs = append(errs, validateAttribute(name))
	}
	from := make(map[string]string)
	for _, header := range slices.Sorted(maps.Keys(e.Headers)) {
		attribute := e.Headers[header]
		errs = append(errs, validateAttribute(attribute))
		if header == "" || strings.ContainsAny(header, " \t\r\n:=,") {
			errs = append(errs, fmt.Errorf("%q is not the name of a header", header))
		}
		if other, taken := from[attribute]; taken {
			errs = append(errs, fmt.Errorf("attribute %q is set from two headers, %s and %s: leave one out", attribute, other, header))
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

// attribute is one that contexts get.
type attribute struct {
	name    string
	encoded []byte // the name as JSON
	header  string // that has the value; empty if none has
	static  []byte // the value as JSON while the header has none; nil leaves the attribute to the request
}

// newAttributes returns the attributes ready for use, by name.
func newAttributes(e Enrichment) []attribute {
	byName := make(map[string]attribute)
	for name, value := range e.Static {
		byName[name] = attribute{name: name, static: appendText(nil, []byte(value))}
	}
	for header, name := range e.Headers {
		one := byName[name]
		one.name, one.header = name, textproto.CanonicalMIMEHeaderKey(header)
		byName[name] = one
	}
	all := make([]attribute, 0, len(byName))
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

// enricher is the working memory for the context of one request. The zero value is ready to use.
type enricher struct {
	headers [][]byte // the value of the header of each attribute; empty if the request has none
	merged  []byte   // the context of the request with the attributes
	name    []byte
	source  bytes.Buffer
	decoder jsontext.Decoder
}

// maxKeptMerged bounds the memory for a merged context that a request keeps.
const maxKeptMerged = 16 << 10

// reset lets go of the request.
func (e *enricher) reset() {
	clear(e.headers)
	e.headers, e.merged = e.headers[:0], e.merged[:0]
	if cap(e.merged) > maxKeptMerged {
		e.merged = nil
	}
	if e.source.Cap() > 0 {
		e.source = bytes.Buffer{}
		e.decoder.Reset(&e.source)
	}
}

// enrich returns the context that q is evaluated with: data with the attributes. It is data itself if there are none, and otherwise valid
// until the next call or end.
func (q *request) enrich(data []byte) ([]byte, error) {
	if len(q.resolver.attributes) == 0 {
		return data, nil
	}
	if err := q.merge(bytes.Trim(data, " \t\r\n")); err != nil {
		return nil, fmt.Errorf("%w: %w", eval.ErrInvalidContext, errContext)
	}
	return q.enricher.merged, nil
}

// errContext says why nothing can be added to a context. It does not quote it.
var errContext = errors.New("it is no JSON object, or not valid JSON")

// merge writes the members of data that nothing replaces, and then the attributes.
func (q *request) merge(data []byte) error {
	e := &q.enricher
	e.merged = append(e.merged[:0], '{')
	if len(data) > 0 {
		e.source = *bytes.NewBuffer(data)
		e.decoder.Reset(&e.source, jsontext.AllowDuplicateNames(q.Lenient()), jsontext.AllowInvalidUTF8(true))
		if err := q.mergeRequest(); err != nil {
			return err
		}
		if !q.Lenient() && e.decoder.InputOffset() < int64(len(data)) {
			return errContext
		}
	}
	for i := range q.resolver.attributes {
		e.merged = q.appendAttribute(e.merged, i)
	}
	e.merged = append(e.merged, '}')
	return nil
}

// appendAttribute appends a member for the attribute, unless it has no value.
func (q *request) appendAttribute(b []byte, i int) []byte {
	if !q.replaces(i) {
		return b
	}
	a := &q.resolver.attributes[i]
	b = append(append(appendComma(b), a.encoded...), ':')
	if header := q.header(i); len(header) > 0 {
		return appendText(b, header)
	}
	return append(b, a.static...)
}

// header returns the value of the header that an attribute comes from, empty if there is none.
func (q *request) header(i int) []byte {
	if i < len(q.enricher.headers) {
		return q.enricher.headers[i]
	}
	return nil
}

// replaces reports whether an attribute has a value, which takes the place of that of the request.
func (q *request) replaces(i int) bool {
	return q.resolver.attributes[i].static != nil || len(q.header(i)) > 0
}

// replaced reports whether an attribute of the request has another in its place.
func (q *request) replaced(name []byte) bool {
	for i := range q.resolver.attributes {
		if q.resolver.attributes[i].name == string(name) {
			return q.replaces(i)
		}
	}
	return false
}

// mergeRequest copies the members of the request that stay. Strictly, only null may stand in the place of an object; with flagd, anything
// may.
func (q *request) mergeRequest() error {
	e := &q.enricher
	if kind := e.decoder.PeekKind(); kind != '{' {
		_, err := e.decoder.ReadValue()
		if err == nil && kind != 'n' && !q.Lenient() {
			return errContext
		}
		return err
	}
	if _, err := e.decoder.ReadToken(); err != nil {
		return err
	}
	for e.decoder.PeekKind() == '"' {
		if err := q.mergeMember(); err != nil {
			return err
		}
	}
	_, err := e.decoder.ReadToken()
	return err
}

func (q *request) mergeMember() error {
	e := &q.enricher
	name, err := e.decoder.ReadValue()
	if err != nil {
		return err
	}
	e.name, _ = jsontext.AppendUnquote(e.name[:0], name) // the decoder has checked it; what is not UTF-8 is replaced
	replaced := q.replaced(e.name)
	if !replaced { // before the decoder reads on, because name is a part of its buffer
		e.merged = append(append(appendComma(e.merged), name...), ':')
	}
	value, err := e.decoder.ReadValue()
	if err == nil && !replaced {
		e.merged = append(e.merged, value...)
	}
	return err
}
