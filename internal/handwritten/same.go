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

// objectMember is one member of an object in JSON.
type objectMember struct {
	name  string
	value jsontext.Value
}

// objectMembers returns the members of an object in JSON; ok is false of what is none.
func objectMembers(body []byte) (list []objectMember, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if d.PeekKind() != '{' {
		return nil, false
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		m := objectMember{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		m.value = value.Clone()
		list = append(list, m)
	}
	return list, true
}

func find(list []objectMember, name string) (jsontext.Value, bool) {
	for _, m := range list {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}
