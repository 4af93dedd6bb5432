package handwritten

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Member is one member of an object in JSON.
type Member struct {
	Name  string
	Value jsontext.Value
}

// Members takes an object in JSON apart; ok is false of what is none. The result does not share body.
func Members(body []byte) (list []Member, ok bool) {
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
		m := Member{Name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		m.Value = value.Clone()
		list = append(list, m)
	}
	return list, true
}

// Object puts an object together again.
func Object(list []Member) []byte {
	out := []byte{'{'}
	for i, m := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, m.Name) // it was JSON
		out = append(append(out, ':'), m.Value...)
	}
	return append(out, '}')
}

// Find returns the value of a member; ok is false if there is none of the name.
func Find(list []Member, name string) (value jsontext.Value, ok bool) {
	for _, m := range list {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}
