package eval

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/murmur3"
	"golang.org/x/mod/semver"
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

func (m model) flagd(name string, l []any, isList bool, data any) any {
	if !isList {
		return nil
	}
	switch name {
	case "starts_with", "ends_with":
		if len(l) != 2 {
			return nil
		}
		s, ok1 := l[0].(string)
		affix, ok2 := l[1].(string)
		if !ok1 || !ok2 {
			return nil
		}
		if name == "starts_with" {
			return strings.HasPrefix(s, affix)
		}
		return strings.HasSuffix(s, affix)
	case "sem_ver":
		return versionModel(l)
	}
	return m.fractional(l, data)
}

func versionModel(l []any) any {
	if len(l) != 3 {
		return nil
	}
	versions := []string{}
	for _, v := range []any{l[0], l[2]} {
		s := fmt.Sprintf("%v", v)
		if !strings.HasPrefix(s, "v") {
			s = "v" + strings.TrimPrefix(s, "V")
		}
		if !semver.IsValid(s) {
			return nil
		}
		versions = append(versions, s)
	}
	a, b := versions[0], versions[1]
	order := semver.Compare(a, b)
	switch l[1] {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "^":
		return semver.Major(a) == semver.Major(b)
	case "~":
		return semver.MajorMinor(a) == semver.MajorMinor(b)
	}
	return nil
}

func (m model) fractional(l []any, data any) any {
	object, ok := data.(map[string]any)
	if len(l) == 0 || !ok {
		return nil
	}
	seed, named := l[0].(string)
	if !named {
		targetingKey, _ := object["targetingKey"].(string)
		if targetingKey == "" {
			return nil
		}
		properties, _ := object["$flagd"].(map[string]any)
		key, _ := properties["flagKey"].(string)
		seed = key + targetingKey
	}
	if named || l[0] == nil {
		l = l[1:]
	}
	type share struct {
		variant any
		weight  uint64
	}
	var shares []share
	sum := uint64(0)
	for _, v := range l {
		parts, _ := v.([]any)
		if len(parts) == 0 {
			return nil
		}
		switch parts[0].(type) {
		case map[string]any, []any:
			return nil
		}
		s := share{parts[0], 1}
		if len(parts) > 1 && parts[1] != nil {
			w, ok := parts[1].(float64)
			if !ok || w != math.Trunc(w) || w > math.MaxInt32 {
				return nil
			}
			s.weight = uint64(max(w, 0))
		}
		sum += s.weight
		shares = append(shares, s)
	}
	if sum > math.MaxInt32 {
		return nil
	}
	position, end := uint64(murmur3.StringSum32(seed))*sum>>32, uint64(0)
	for _, s := range shares {
		if end += s.weight; position < end {
			return s.variant
		}
	}
	return nil
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
