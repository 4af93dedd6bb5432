package handwritten

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Same reports whether two documents in JSON say the same: the order of members and the white space between them say nothing.
func Same(a, b []byte) bool { return bytes.Equal(a, b) || bytes.Equal(canonical(a), canonical(b)) }

// canonical returns a document with its members sorted. Numbers keep their spelling.
func canonical(body []byte) []byte {
	value := jsontext.Value(bytes.Clone(body))
	if err := value.Format(jsontext.ReorderRawObjects(true)); err != nil {
		return body
	}
	return value
}
