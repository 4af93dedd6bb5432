package ownership

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
)

// Owner returns the owner of a document, as it stands in it; empty if it has none.
func Owner(body []byte) string {
	mark, _, ok := cut(body)
	if !ok || jsontext.Value(mark).Kind() != '"' {
		return ""
	}
	name, err := jsontext.AppendUnquote(nil, mark)
	if err != nil {
		return ""
	}
	return string(name)
}

// Unmarked returns the body of a document without its owner. All else keeps its spelling.
func Unmarked(body []byte) []byte {
	if _, rest, ok := cut(body); ok {
		return rest
	}
	return body
}

// Marked returns the body of a document with an owner in the place of any other. What is no object has none.
func Marked(body []byte, owner string) []byte {
	body = Unmarked(body)
	if len(body) < 2 || body[0] != '{' || owner == "" {
		return body
	}
	marked := append(make([]byte, 0, len(body)+len(owner)+16), body[:len(body)-1]...)
	if len(bytes.TrimSpace(marked)) > 1 {
		marked = append(marked, ',')
	}
	marked = append(marked, `"`+document.SourceMember+`":`...)
	marked, _ = jsontext.AppendQuote(marked, owner) // a valid name is UTF-8
	return append(marked, '}')
}

// cut takes the owner out of an object, which is compact JSON.
func cut(body []byte) (mark, rest []byte, ok bool) {
	if len(body) == 0 || body[0] != '{' || !bytes.Contains(body, []byte(document.SourceMember)) && !bytes.Contains(body, []byte(`\u`)) {
		return nil, nil, false
	}
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, false
	}
	for d.PeekKind() == '"' {
		from := d.InputOffset() // behind the member before it, or the brace
		name, err := d.ReadToken()
		if err != nil {
			return nil, nil, false
		}
		wanted := name.String() == document.SourceMember
		value, err := d.ReadValue()
		if err != nil {
			return nil, nil, false
		}
		if wanted {
			return bytes.Clone(value), without(body, int(from), int(d.InputOffset())), true
		}
	}
	return nil, nil, false
}

// without returns an object without the member between two offsets, of which the first stands behind what comes before it.
func without(body []byte, from, to int) []byte {
	if from == 1 && to < len(body) && body[to] == ',' { // the first of several
		to++
	}
	return append(bytes.Clone(body[:from]), body[to:]...)
}
