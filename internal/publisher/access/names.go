package access

import "cmp"

// NameOf returns what people call a person, or the holder of a token, of which records hold the opaque id only. Of an erased person it is the id with
// (erased).
func NameOf(tokens *Tokens, people *People, id string) (name string, known bool) {
	if name, known = tokens.Name(id); known {
		return "token " + name, true
	}
	person, known := people.Find(id)
	if !person.Erased.IsZero() {
		return id + " (erased)", true
	}
	name = cmp.Or(person.Name, person.Subject)
	return name, known && name != ""
}
