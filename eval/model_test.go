package eval

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// model interprets rules the slow and obvious way: on decoded JSON, with recursion and panics, one function an operator, and by
// replacing text where flagd's engine does. It knows nothing of nodes, slots and constants.
type model struct{ key string }

// modelFailure is what the model panics with.
type modelFailure struct{ reason string }

func fail(format string, args ...any) any { panic(modelFailure{fmt.Sprintf(format, args...)}) }

// run evaluates a rule and reports whether it failed.
func (m model) run(rule, data any) (result any, failed bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(modelFailure); !ok {
				panic(r)
			}
			failed = true
		}
	}()
	result = m.eval(rule, data)
	_, err := json.Marshal(result)
	return result, err != nil
}

func (m model) eval(rule, data any) any {
	switch rule := rule.(type) {
	case []any:
		out := make([]any, len(rule))
		for i := range rule {
			out[i] = m.eval(rule[i], data)
		}
		return out
	case map[string]any:
		if len(rule) != 1 {
			return rule
		}
		for name, arguments := range rule {
			return m.operate(name, arguments, data)
		}
	}
	return rule
}

func list(v any) []any {
	l, ok := v.([]any)
	if !ok {
		fail("no list")
	}
	return l
}

func at(l []any, i int) any {
	if i >= len(l) {
		fail("too few arguments")
	}
	return l[i]
}

func (m model) operate(name string, raw, data any) any {
	switch name {
	case "var":
		return m.variable(m.eval(raw, data), data)
	case "and", "or":
		var last any
		for _, a := range list(raw) {
			last = m.eval(a, data)
			if isTrue(last) == (name == "or") {
				return last
			}
		}
		return last
	case "if", "?:":
		clauses := list(raw)
		for len(clauses) > 1 {
			if isTrue(m.eval(clauses[0], data)) {
				return m.eval(clauses[1], data)
			}
			clauses = clauses[2:]
		}
		if len(clauses) == 1 {
			return m.eval(clauses[0], data)
		}
		return nil
	case "filter", "map", "reduce", "all", "none", "some":
		return m.iterate(name, list(raw), data)
	}
	arguments := m.eval(raw, data)
	l, isList := arguments.([]any)
	switch name {
	case "!", "!!":
		v := arguments
		if isList && len(l) > 0 {
			v = l[0]
		}
		return isTrue(v) == (name == "!!")
	case "missing":
		if s, ok := arguments.(string); ok {
			l, isList = []any{s}, true
		}
		if !isList {
			fail("no list")
		}
		return m.absent(l, data)
	case "missing_some":
		names := list(at(list(arguments), 1))
		missing := m.absent(names, data)
		if int(toNumber(l[0])) > len(names)-len(missing) {
			return missing
		}
		return []any{}
	case "starts_with", "ends_with", "sem_ver", "fractional":
		return m.flagd(name, l, isList, data)
	case "contains_all", "contains_any", "contains_none":
		return containsModel(name, l)
	case "===", "!==":
		equal := isList && len(l) > 1 && sameType(l[0], l[1]) && looseModel(l[0], l[1])
		return equal == (name == "===")
	}
	if !isList {
		return single(name, arguments)
	}
	return eager(name, l)
}

func (m model) absent(names []any, data any) []any {
	out := []any{}
	for _, name := range names {
		if m.variable(name, data) == nil {
			out = append(out, name)
		}
	}
	return out
}

func (m model) variable(name, data any) any {
	var fallback any
	switch n := name.(type) {
	case nil:
		if _, isList := data.([]any); isList {
			return nil
		}
		if _, isObject := data.(map[string]any); isObject {
			return nil
		}
		return data
	case float64:
		name = strconv.FormatFloat(n, 'f', -1, 64)
	case []any:
		if len(n) == 0 {
			return data
		}
		if len(n) == 2 {
			fallback = n[1]
		}
		text, ok := n[0].(string)
		if !ok {
			fail("no name")
		}
		name = text
	}
	if data == nil {
		return fallback
	}
	text, ok := name.(string)
	if !ok {
		fail("no name")
	}
	for step := range strings.SplitSeq(text, ".") {
		if step == "" {
			continue
		}
		switch d := data.(type) {
		case map[string]any:
			data = d[step]
		case []any:
			i := int(toNumber(step))
			if i < 0 || i >= len(d) {
				return fallback
			}
			data = d[i]
		default:
			return fallback
		}
	}
	if data == nil {
		return fallback
	}
	return data
}

// replaced is a rule in which every var that data knows is replaced by its value.
func (m model) replaced(rule, data any) any {
	switch r := rule.(type) {
	case []any:
		out := make([]any, len(r))
		for i := range r {
			out[i] = m.replaced(r[i], data)
		}
		return out
	case map[string]any:
		if len(r) != 1 {
			return r
		}
		for name, argument := range r {
			if name != "var" {
				return map[string]any{name: m.replaced(argument, data)}
			}
			if s, ok := argument.(string); ok && (s == "" || s[0] == '.') {
				return r
			}
			if v := m.variable(m.eval(argument, data), data); v != nil {
				return v
			}
		}
	}
	return rule
}

func (m model) iterate(name string, l []any, data any) any {
	if len(l) < 2 && (name == "filter" || name == "map") {
		return []any{}
	}
	if len(l) < 3 && name == "reduce" {
		return 0.0
	}
	var accumulator any
	if name == "reduce" {
		accumulator = l[2]
		if _, ok := accumulator.(map[string]any); ok {
			accumulator = m.eval(accumulator, data)
		}
		switch accumulator.(type) {
		case bool, float64, string:
		default:
			fail("no start")
		}
	}
	subject := at(l, 0)
	switch subject.(type) {
	case []any:
	case map[string]any:
		subject = m.eval(subject, data)
	default:
		subject = nil
	}
	switch name {
	case "all", "none", "some":
		if !isTrue(subject) {
			return name == "none"
		}
	case "reduce":
		if subject == nil {
			return 0.0
		}
	}
	if subject == nil {
		return []any{}
	}
	items := list(subject)
	body := at(l, 1)
	if name == "filter" || name == "none" || name == "some" {
		body = m.replaced(body, data)
	}
	out := []any{}
	for _, item := range items {
		switch name {
		case "filter":
			if isTrue(m.eval(body, item)) {
				out = append(out, item)
			}
		case "map":
			out = append(out, m.eval(body, item))
		case "reduce":
			if item != nil {
				accumulator = m.step(body, item, accumulator)
			}
		default:
			v := m.condition(name, body, item)
			if isTrue(v) != (name == "all") {
				return name == "some"
			}
		}
	}
	switch name {
	case "filter", "map":
		return out
	case "reduce":
		return accumulator
	}
	return name != "some"
}

// condition evaluates the body of all, none or some, which must be an operation even after its vars were replaced.
func (m model) condition(name string, body, item any) any {
	if name != "none" {
		body = m.replaced(body, item)
	}
	if _, ok := body.(map[string]any); !ok {
		fail("no operation")
	}
	return m.eval(body, item)
}

func (m model) step(body, item, accumulator any) any {
	if _, ok := body.(map[string]any); !ok {
		fail("no operation")
	}
	kind := "string"
	switch accumulator.(type) {
	case bool:
		kind = "bool"
	case float64:
		kind = "number"
	}
	v := m.eval(body, map[string]any{"current": item, "accumulator": accumulator, "valueType": kind})
	switch kind {
	case "bool":
		return isTrue(v)
	case "number":
		return toNumber(v)
	}
	return toText(v)
}
