package source

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/handwritten"
)

// memberOf returns the value of a member of an object, nil if there is none.
func memberOf(body []byte, name string) jsontext.Value {
	list, _ := handwritten.Members(body)
	value, _ := handwritten.Find(list, name)
	return value
}

// withMember returns an object with a member in the place of another of its name, or first.
func withMember(body []byte, name string, value jsontext.Value) []byte {
	list, _ := handwritten.Members(body)
	for i, m := range list {
		if m.Name == name {
			list[i].Value = value
			return handwritten.Object(list)
		}
	}
	return handwritten.Object(append([]handwritten.Member{{Name: name, Value: value}}, list...))
}
