package inprocess

import "slices"

// operatorOf returns the operator and the arguments of a rule. Objects with another number of members are data.
func operatorOf(rule any) (name string, arguments any, ok bool) {
	object, isObject := rule.(map[string]any)
	if !isObject || len(object) != 1 {
		return "", nil, false
	}
	for name, arguments = range object {
	}
	return name, arguments, true
}

func operation(name string, arguments ...any) any { return map[string]any{name: arguments} }

func nameOrNull(name string) any {
	if name == "" {
		return nil
	}
	return name
}

// expand returns the rule with its segments written out.
func (t *translator) expand(rule any) (any, error) {
	if t.nodes++; t.nodes > maxNodes {
		return nil, refuse("its rule is too large with all segments and prerequisites written out")
	}
	if list, ok := rule.([]any); ok {
		return t.expandList(list)
	}
	name, arguments, ok := operatorOf(rule)
	if !ok {
		return rule, nil
	}
	if segment, isName := arguments.(string); isName && name == "$ref" {
		return t.segment(rule, segment)
	}
	expanded, err := t.expand(arguments)
	return map[string]any{name: expanded}, err
}

func (t *translator) expandList(list []any) (any, error) {
	expanded := make([]any, len(list))
	for i, item := range list {
		var err error
		if expanded[i], err = t.expand(item); err != nil {
			return nil, err
		}
	}
	return expanded, nil
}

// segment returns the rule of a segment. Cycles are refused when segments are compiled, so none of them is current.
func (t *translator) segment(reference any, name string) (any, error) {
	body, current := t.rules.SegmentDocument(name)
	switch {
	case body == nil && t.lenient:
		return reference, nil // the provider fails where it gets there, as flagd does
	case !current:
		return nil, refuse("the newest document of the segment %q, or of one that it refers to, cannot be used", name)
	}
	rule, err := decode(body)
	if err != nil {
		return nil, err
	}
	return t.expand(rule)
}

// isIteration reports whether the second argument of an operator is evaluated for each element of a list.
func isIteration(operator string) bool {
	return slices.Contains([]string{"filter", "map", "reduce", "all", "none", "some"}, operator)
}

// contains reports whether a rule uses an operator anywhere.
func contains(rule any, operator string) bool {
	if list, ok := rule.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return contains(item, operator) })
	}
	name, arguments, ok := operatorOf(rule)
	return ok && (name == operator || contains(arguments, operator))
}
