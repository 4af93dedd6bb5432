package inprocess

import (
	"slices"
	"strings"
)

// safe returns a condition that never fails, and which means the same in the rule of another flag.
func (o *outcome) safe(rule any) (any, error) {
	if _, isList := rule.([]any); isList {
		return nil, o.unsafe("a list")
	}
	name, arguments, ok := operatorOf(rule)
	if !ok {
		if _, isData := rule.(map[string]any); isData {
			return nil, o.unsafe("an object")
		}
		return rule, nil
	}
	switch name {
	case "var":
		return o.variable(rule, arguments)
	case "in":
		return o.membership(arguments)
	case "==", "!=", "===", "!==", "<", "<=", ">", ">=", "starts_with", "ends_with", "sem_ver", "and", "or", "!", "!!", "if", "cat", "substr":
		return o.call(name, arguments)
	default:
		return nil, o.unsafe(name)
	}
}

func (o *outcome) unsafe(what string) error {
	return refuse("the rule of its prerequisite %q uses %s, which may fail or mean something else there", o.flag.Key(), what)
}

// call checks an operator whose arguments may be anything that is safe. What if gives on must not be data, which flagd would execute.
func (o *outcome) call(name string, arguments any) (any, error) {
	list, isList := arguments.([]any)
	if !isList {
		list = []any{arguments}
	}
	if (name == "cat" || name == "substr") && !isSeed(name, list) {
		return nil, o.unsafe(name)
	}
	rewritten := make([]any, len(list))
	for i, argument := range list {
		var err error
		if rewritten[i], err = o.safe(argument); err != nil {
			return nil, err
		}
	}
	return map[string]any{name: rewritten}, nil
}

// isSeed reports whether cat or substr is part of the seed that seeds makes: it is only evaluated when the targeting key is a text.
func isSeed(name string, arguments []any) bool {
	if name == "substr" {
		if len(arguments) != 3 {
			return false
		}
		inner, _, _ := operatorOf(arguments[0])
		return inner == "cat"
	}
	return len(arguments) == 4 && arguments[0] == "." && arguments[3] == "."
}

// variable checks {"var": name} and {"var": [name, default]}, where the name is written down.
func (o *outcome) variable(rule, arguments any) (any, error) {
	list, isList := arguments.([]any)
	if !isList {
		list = []any{arguments}
	}
	if len(list) == 0 || len(list) > 2 {
		return nil, o.unsafe("a var without a name")
	}
	name, isName := list[0].(string)
	switch {
	case !isName || name == "" || name == "$flagd":
		return nil, o.unsafe("a var without a name")
	case name == "$flagd.flagKey":
		return o.flag.Key(), nil
	case strings.HasPrefix(name, "$flagd.") && name != "$flagd.timestamp":
		return nil, o.unsafe(name)
	case len(list) == 2 && !isScalar(list[1]):
		return nil, o.unsafe("a var with a computed default")
	default:
		return rule, nil
	}
}

// membership checks {"in": [needle, [scalars]]}.
func (o *outcome) membership(arguments any) (any, error) {
	list, _ := arguments.([]any)
	if len(list) != 2 {
		return nil, o.unsafe("in")
	}
	haystack, isList := list[1].([]any)
	if !isList || slices.ContainsFunc(haystack, func(item any) bool { return !isScalar(item) }) {
		return nil, o.unsafe("in with something that is no list of values")
	}
	needle, err := o.safe(list[0])
	return operation("in", needle, haystack), err
}

func isScalar(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return false
	default:
		return true
	}
}
