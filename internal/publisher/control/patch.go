package control

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
)

// Patch changes members of one document by a JSON Merge Patch (RFC 7396).
type Patch struct {
	ID    document.ID
	Merge []byte // JSON
	If    Precondition
}

// Toggle turns a flag on or off, whatever it is now.
type Toggle struct {
	Flag string
	On   bool
	If   Precondition
}

func (p Patch) decide(s State) (Decision, error) {
	put, err := p.put(s)
	if err != nil {
		return Decision{}, err
	}
	return put.decide(s)
}

// put returns what the patch leads to.
func (p Patch) put(s State) (Put, error) {
	live, exists := s.Document(p.ID)
	if err := p.If.check(s, p.ID, live, exists); err != nil {
		return Put{}, err
	}
	if !exists {
		return Put{}, NotFound(p.ID)
	}
	patch, err := compact(p.Merge)
	if err != nil {
		return Put{}, err
	}
	body, err := merge(live.Body, patch)
	if err != nil {
		return Put{}, &Refusal{Cause: CauseMalformed, Detail: "The patch cannot be applied: " + err.Error() + "."}
	}
	return Put{ID: p.ID, Body: body, If: p.If}, nil
}

func (t Toggle) decide(s State) (Decision, error) { return t.patch().decide(s) }

func (t Toggle) patch() Patch {
	state := map[bool]string{true: "ENABLED", false: "DISABLED"}[t.On]
	return Patch{ID: document.ID{Kind: document.KindFlag, Key: t.Flag}, Merge: fmt.Appendf(nil, `{"state":%q}`, state), If: t.If}
}

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
