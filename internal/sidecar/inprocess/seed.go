package inprocess

// seeds rewrites a rule so that its distributions use a salt in the place of the key of the flag that they stand in.
type seeds struct{ salt string }

// rewrite returns the rule with seeds.
func (s seeds) rewrite(rule any) (any, error) {
	if list, ok := rule.([]any); ok {
		return s.rewriteList(list)
	}
	name, arguments, ok := operatorOf(rule)
	switch {
	case !ok:
		return rule, nil
	case isIteration(name) && contains(arguments, "fractional"):
		return nil, refuse("it has a salt or is a prerequisite, and a distribution inside %s", name)
	}
	rewritten, err := s.rewrite(arguments)
	if err != nil || name != "fractional" {
		return map[string]any{name: rewritten}, err
	}
	list, ok := rewritten.([]any)
	if !ok {
		return nil, refuse("it has a salt or is a prerequisite, and a distribution whose buckets are computed")
	}
	return map[string]any{name: s.withSeed(list)}, nil
}

func (s seeds) rewriteList(list []any) (any, error) {
	rewritten := make([]any, len(list))
	for i, item := range list {
		var err error
		if rewritten[i], err = s.rewrite(item); err != nil {
			return nil, err
		}
	}
	return rewritten, nil
}

// withSeed returns the arguments of fractional with a seed that is what this flag's seed would be.
func (s seeds) withSeed(arguments []any) []any {
	if len(arguments) == 0 {
		return arguments
	}
	switch seed := arguments[0].(type) {
	case []any: // a bucket
		return append([]any{s.implicit()}, arguments...)
	case nil:
		return append([]any{s.implicit()}, arguments[1:]...)
	case map[string]any: // text is the seed, null asks for the implicit one, anything else makes the result null
		computed := operation("if", operation("starts_with", seed, ""), seed, operation("==", seed, nil), s.implicit(), false)
		return append([]any{computed}, arguments[1:]...)
	default:
		return arguments
	}
}

// implicit returns the salt followed by the targeting key, null if that is missing, empty or no text. The text around them, which is cut
// off again, keeps cat from trimming them.
func (s seeds) implicit() any {
	key := map[string]any{"var": "targetingKey"}
	joined := operation("cat", ".", s.salt, key, ".")
	return operation("if",
		operation("and", operation("starts_with", key, ""), key),
		operation("substr", joined, 1, -1),
		nil)
}
