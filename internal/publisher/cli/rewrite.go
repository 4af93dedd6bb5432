package cli

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// rewriting changes the calls of one operator in a rule, where they decide what the rule answers. Everything else stays as it is written.
type rewriting struct {
	operator string
	// through reports whether the argument i of n of another operator may be the answer of its call.
	through func(operator string, i, n int) bool
	// change returns the arguments that a call gets.
	change func(arguments []jsontext.Value) ([]jsontext.Value, error)
}

// apply returns the changed rule, and how many calls were changed.
func (r rewriting) apply(rule jsontext.Value) (jsontext.Value, int, error) {
	if rule.Kind() != '{' {
		return rule, 0, nil
	}
	names, values, err := members(rule)
	if err != nil || len(names) != 1 || values[0].Kind() != '[' {
		return rule, 0, err
	}
	arguments, err := elements(values[0])
	if err != nil {
		return nil, 0, err
	}
	calls := 0
	if names[0] == r.operator {
		arguments, err = r.change(arguments)
		calls = 1
	}
	for i := 0; names[0] != r.operator && i < len(arguments) && err == nil; i++ {
		if n := 0; r.through(names[0], i, len(arguments)) {
			arguments[i], n, err = r.apply(arguments[i])
			calls += n
		}
	}
	return object(names, []jsontext.Value{array(arguments)}), calls, err
}

// branches are the results of if, of which the odd arguments are, and the last if there is no condition for it.
func branches(operator string, i, n int) bool {
	return (operator == "if" || operator == "?:") && (i%2 == 1 || i == n-1)
}

// alternatives are the arguments of or.
func alternatives(operator string, _, _ int) bool { return operator == "or" }

// elements returns the items of a JSON array as they are written.
func elements(value jsontext.Value) (items []jsontext.Value, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := d.ReadToken(); err != nil {
		return nil, fmt.Errorf("rule: %w", err)
	}
	for d.PeekKind() != ']' {
		item, err := d.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("rule: %w", err)
		}
		items = append(items, item.Clone())
	}
	return items, nil
}

// members returns the names and the values of a JSON object, in order, the values as they are written.
func members(value jsontext.Value) (names []string, values []jsontext.Value, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, fmt.Errorf("rule: %w", err)
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, nil, fmt.Errorf("rule: %w", err)
		}
		names = append(names, name.String())
		item, err := d.ReadValue()
		if err != nil {
			return nil, nil, fmt.Errorf("rule: %w", err)
		}
		values = append(values, item.Clone())
	}
	return names, values, nil
}

func array(items []jsontext.Value) jsontext.Value {
	out := jsontext.Value("[")
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}

func object(names []string, values []jsontext.Value) jsontext.Value {
	out := jsontext.Value("{")
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, quoted(name)...)
		out = append(append(out, ':'), values[i]...)
	}
	return append(out, '}')
}

// quoted returns a text, which is valid UTF-8 as all options and arguments are, as JSON.
func quoted(text string) jsontext.Value {
	out, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return jsontext.Value(`""`)
	}
	return out
}

// unquoted returns the text that a JSON value is, false if it is none.
func unquoted(value jsontext.Value) (string, bool) {
	if value.Kind() != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err == nil
}
