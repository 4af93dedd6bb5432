package cli

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// rewriteCalls returns a rule in which the arguments of each call of an operator are what change makes of them, and how many calls there are.
// Everything else stays as it is written.
func rewriteCalls(rule jsontext.Value, operator string, change func(arguments []jsontext.Value) ([]jsontext.Value, error)) (jsontext.Value, int, error) {
	switch rule.Kind() {
	case '[':
		items, err := elements(rule)
		if err != nil {
			return nil, 0, err
		}
		calls := 0
		for i, item := range items {
			n := 0
			if items[i], n, err = rewriteCalls(item, operator, change); err != nil {
				return nil, 0, err
			}
			calls += n
		}
		return array(items), calls, nil
	case '{':
		return rewriteObject(rule, operator, change)
	default:
		return rule, 0, nil
	}
}

func rewriteObject(rule jsontext.Value, operator string, change func([]jsontext.Value) ([]jsontext.Value, error)) (jsontext.Value, int, error) {
	names, values, err := members(rule)
	if err != nil {
		return nil, 0, err
	}
	if len(names) == 1 && names[0] == operator && values[0].Kind() == '[' {
		arguments, err := elements(values[0])
		if err == nil {
			arguments, err = change(arguments)
		}
		return object(names, []jsontext.Value{array(arguments)}), 1, err
	}
	calls := 0
	for i, value := range values {
		n := 0
		if values[i], n, err = rewriteCalls(value, operator, change); err != nil {
			return nil, 0, err
		}
		calls += n
	}
	return object(names, values), calls, nil
}

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

// quoted returns a text as JSON.
func quoted(text string) jsontext.Value {
	out, err := jsontext.AppendQuote(nil, text)
	if err != nil { // not valid UTF-8, which no key or variant can be
		return jsontext.Value(`""`)
	}
	return out
}
