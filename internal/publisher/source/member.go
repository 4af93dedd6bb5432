package source

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// member is a member of a JSON object.
type member struct {
	name  string
	value jsontext.Value
}

// members takes an object apart. What is no object has none.
func members(body []byte) (list []member) {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	if d.PeekKind() != '{' {
		return nil
	}
	if _, err := d.ReadToken(); err != nil {
		return nil
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return list
		}
		m := member{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return list
		}
		m.value = value.Clone()
		list = append(list, m)
	}
	return list
}

// memberOf returns the value of a member, nil if there is none.
func memberOf(body []byte, name string) jsontext.Value {
	for _, m := range members(body) {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// withMember returns an object with a member in the place of another of its name, or first.
func withMember(body []byte, name string, value jsontext.Value) []byte {
	list := members(body)
	for i, m := range list {
		if m.name == name {
			list[i].value = value
			return object(list)
		}
	}
	return object(append([]member{{name, value}}, list...))
}

func object(list []member) []byte {
	out := []byte{'{'}
	for i, m := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, m.name) // it was JSON
		out = append(append(out, ':'), m.value...)
	}
	return append(out, '}')
}
