package eval

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// single applies an operator to something that is no list.
func single(name string, v any) any {
	_, text := v.(string)
	switch {
	case name == "+":
		return toNumber(v)
	case name == "abs":
		return math.Abs(toNumber(v))
	case name == "cat" && text:
		return v
	case name == "merge":
		switch v.(type) {
		case string, bool, float64:
			return []any{v}
		}
	}
	return fail("no list")
}

func eager(name string, l []any) any {
	switch name {
	case "==", "!=":
		return (len(l) > 1 && looseModel(l[0], l[1])) == (name == "==")
	case "<", "<=", ">", ">=":
		return chain(name, l)
	case "+", "-", "*", "/", "max", "min":
		return arithmetic(name, l)
	case "%":
		return math.Mod(toNumber(at(l, 0)), toNumber(at(l, 1)))
	case "abs":
		return math.Abs(toNumber(at(l, 0)))
	case "in":
		return inModel(l)
	case "cat":
		s := ""
		for _, v := range l {
			s += toText(v)
		}
		if len(l) > 1 {
			s = strings.TrimSpace(s)
		}
		return s
	case "substr":
		return substringModel(l)
	case "merge":
		out := []any{}
		for _, v := range l {
			if parts, ok := v.([]any); ok {
				out = append(out, parts...)
			} else {
				out = append(out, v)
			}
		}
		return out
	case "set":
		return setModel(l)
	}
	return fail("no operator %s", name)
}

func setModel(l []any) any {
	if len(l) == 0 {
		return nil
	}
	object, ok := l[0].(map[string]any)
	if len(l) < 3 || !ok {
		return l[0]
	}
	name, ok := l[1].(string)
	if !ok {
		fail("no name")
	}
	changed := maps.Clone(object)
	changed[name] = l[2]
	return changed
}

func chain(name string, l []any) any {
	test := func(a, b any) bool {
		if name[0] == '>' {
			a, b = b, a
		}
		return lessModel(a, b) || len(name) == 2 && looseModel(a, b)
	}
	switch len(l) {
	case 0, 1:
		return false
	case 3:
		return test(l[0], l[1]) && test(l[1], l[2])
	}
	return test(l[0], l[1])
}

func arithmetic(name string, l []any) any {
	if len(l) == 0 {
		return map[string]any{"+": 0.0, "-": 0.0, "*": 1.0, "/": 0.0, "max": nil, "min": nil}[name]
	}
	result := toNumber(l[0])
	if len(l) == 1 && name == "-" {
		return -result
	}
	for _, v := range l[1:] {
		n := toNumber(v)
		switch name {
		case "+":
			result += n
		case "-":
			result -= n
		case "*":
			result *= n
		case "/":
			result /= n
		case "max":
			if n > result {
				result = n
			}
		case "min":
			if n < result {
				result = n
			}
		}
	}
	return result
}

func inModel(l []any) any {
	needle := at(l, 0)
	if len(l) == 1 {
		return false
	}
	if haystack, ok := l[1].(string); ok {
		s, ok := needle.(string)
		if !ok {
			fail("no text")
		}
		return strings.Contains(haystack, s)
	}
	items, _ := l[1].([]any)
	for _, item := range items {
		limits, isRange := item.([]any)
		n, isNumber := needle.(float64)
		switch {
		case isRange:
			from, to := at(limits, 0), at(limits, 1)
			if toNumber(needle) >= toNumber(from) && toNumber(to) >= toNumber(needle) {
				return true
			}
		case isNumber:
			if toNumber(item) == n {
				return true
			}
		default:
			if sameScalar(item, needle) {
				return true
			}
		}
	}
	return false
}

// sameScalar compares as Go compares interfaces, which fails for two objects or lists.
func sameScalar(a, b any) bool {
	if sameType(a, b) {
		switch a.(type) {
		case map[string]any, []any:
			fail("objects and lists cannot be compared")
		}
		return a == b
	}
	return false
}

func containsModel(name string, l []any) any {
	if len(l) != 2 {
		return name == "contains_none"
	}
	all, ok1 := l[0].([]any)
	wanted, ok2 := l[1].([]any)
	if !ok1 || !ok2 {
		return name == "contains_none"
	}
	for _, w := range wanted {
		found := slices.ContainsFunc(all, func(v any) bool { return sameScalar(v, w) })
		if found != (name == "contains_all") {
			return name == "contains_any"
		}
	}
	return name != "contains_any"
}

func substringModel(l []any) any {
	runes := []rune(toText(at(l, 0)))
	from := int(toNumber(at(l, 1)))
	if from < 0 {
		from += len(runes)
	}
	if from < 0 || from > len(runes) {
		return string(runes)
	}
	to := len(runes)
	if len(l) == 3 {
		if n := int(toNumber(l[2])); n < 0 {
			to += n
		} else {
			to = min(to, from+n)
		}
	}
	if to < from {
		fail("ends before it starts")
	}
	return string(runes[from:to])
}

func sameType(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

func looseModel(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	s, ok1 := a.(string)
	t, ok2 := b.(string)
	if ok1 && ok2 {
		return s == t
	}
	return orderNumber(a) == orderNumber(b)
}

func lessModel(a, b any) bool {
	s, ok1 := a.(string)
	t, ok2 := b.(string)
	if ok1 && ok2 {
		return s < t
	}
	return orderNumber(a) < orderNumber(b)
}

func orderNumber(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		return map[bool]float64{true: 1}[v]
	case float64:
		return v
	case string:
		if strings.TrimSpace(v) == "" {
			return 0
		}
		if n, err := strconv.ParseFloat(v, 64); err == nil || math.IsInf(n, 0) {
			return n
		}
	}
	return math.NaN()
}

func toNumber(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		n, _ := strconv.ParseFloat(v, 64)
		return n
	}
	fail("no number")
	return 0
}

func toText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	fail("no text")
	return ""
}

func isTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}
