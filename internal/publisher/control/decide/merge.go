package decide

import (
	"bytes"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// member is a member of a JSON object.
type member struct {
	name  string
	value jsontext.Value
}

// members takes an object apart. What is no object has none.
func members(value jsontext.Value) ([]member, error) {
	if value.Kind() != '{' {
		return nil, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var list []member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		m.value = value.Clone()
		list = append(list, m)
	}
	if _, err := d.ReadToken(); err != nil && err != io.EOF { //nolint:errorlint // never wrapped
		return nil, err
	}
	return list, nil
}

// merge applies a merge patch. Members keep their place, and numbers and strings their spelling; new members come last.
func merge(target, patch jsontext.Value) (jsontext.Value, error) {
	if patch.Kind() != '{' {
		return patch, nil
	}
	result, err := members(target)
	if err != nil {
		return nil, err
	}
	changes, err := members(patch)
	if err != nil {
		return nil, err
	}
	return mergeMembers(result, changes)
}

// mergeMembers applies the members of a merge patch to those of its target.
func mergeMembers(list, changes []member) (jsontext.Value, error) {
	at := make(map[string]int, len(list))
	for i, m := range list {
		at[m.name] = i
	}
	removed := make(map[string]bool)
	for _, change := range changes {
		i, exists := at[change.name]
		if change.value.Kind() == 'n' {
			removed[change.name] = true
			continue
		}
		if !exists {
			i = len(list)
			list = append(list, member{name: change.name})
		}
		var err error
		if list[i].value, err = merge(list[i].value, change.value); err != nil {
			return nil, err
		}
	}
	return object(slices.DeleteFunc(list, func(m member) bool { return removed[m.name] }))
}

func object(list []member) (jsontext.Value, error) {
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out, jsontext.PreserveRawStrings(true))
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return nil, err
	}
	for _, m := range list {
		if err := e.WriteToken(jsontext.String(m.name)); err != nil {
			return nil, err
		}
		if err := e.WriteValue(m.value); err != nil {
			return nil, err
		}
	}
	if err := e.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
