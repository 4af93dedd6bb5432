package inprocess

import (
	"cmp"
	"encoding/json"

	"github.com/flagside/flagside/eval"
)

// met returns the condition under which all prerequisites of a flag are met.
func (t *translator) met(flag *eval.Flag) (any, error) {
	prerequisites := flag.Prerequisites()
	conditions := make([]any, len(prerequisites))
	for i, p := range prerequisites {
		answer, err := t.answer(p.Flag)
		if err != nil {
			return nil, err
		}
		names := make([]any, len(p.Variants))
		for j, name := range p.Variants {
			names[j] = name
		}
		conditions[i] = operation("in", answer, names)
	}
	return operation("and", conditions...), nil
}

// answer returns an expression for the name of the variant that a flag answers; the empty text stands for none. It must not fail,
// because a prerequisite that fails is merely not met, and only some rules are known never to fail.
func (t *translator) answer(key string) (any, error) {
	flag := t.rules.Flag(key)
	if flag == nil || !flag.Current() {
		return nil, refuse("the newest document of its prerequisite %q cannot be used", key)
	}
	if disabled(flag) {
		return "", nil
	}
	rule, err := t.rule(flag)
	if err != nil {
		return nil, err
	}
	if rule, err = (seeds{salt: flag.Salt()}).rewrite(rule); err != nil {
		return nil, err
	}
	o := &outcome{flag: flag}
	result, err := o.result(rule)
	if err != nil || len(flag.Prerequisites()) == 0 {
		return result, err
	}
	met, err := t.met(flag)
	if err != nil {
		return nil, err
	}
	return operation("if", met, result, nameOf(cmp.Or(flag.OffVariant(), flag.DefaultVariant()))), nil
}

// outcome rewrites the rule of a flag into one whose result is the name of a variant.
type outcome struct{ flag *eval.Flag }

// result rewrites what stands where the rule gets its result from.
func (o *outcome) result(rule any) (any, error) {
	switch literal := rule.(type) {
	case nil:
		return nameOf(o.flag.DefaultVariant()), nil
	case string:
		return o.named(literal)
	case bool:
		if literal {
			return o.named("true")
		}
		return o.named("false")
	}
	name, arguments, _ := operatorOf(rule)
	list, isList := arguments.([]any)
	switch {
	case (name == "if" || name == "?:") && isList:
		return o.conditional(list)
	case name == "fractional" && isList:
		return o.distribution(list)
	default:
		return nil, refuse("the result of the rule of its prerequisite %q is computed", o.flag.Key())
	}
}

// named returns the name, or the empty text if there is no such variant: that is an error, and so never meets a prerequisite.
func (o *outcome) named(name string) (any, error) {
	if o.flag.Variant(name) != nil {
		return name, nil
	}
	if !plain(name) {
		return nil, refuse("its prerequisite %q answers %q, which flagd spells differently", o.flag.Key(), name)
	}
	return "", nil
}

func (o *outcome) conditional(arguments []any) (any, error) {
	var rewritten []any
	for len(arguments) > 1 {
		condition, err := o.safe(arguments[0])
		if err != nil {
			return nil, err
		}
		result, err := o.result(arguments[1])
		if err != nil {
			return nil, err
		}
		rewritten = append(rewritten, condition, result)
		arguments = arguments[2:]
	}
	var last any
	if len(arguments) == 1 {
		last = arguments[0]
	}
	result, err := o.result(last)
	if err != nil || rewritten == nil {
		return result, err
	}
	return map[string]any{"if": append(rewritten, result)}, nil
}

// distribution rewrites fractional, whose seed was put in the first place. Null, which it also answers without a targeting key, means the
// default variant.
func (o *outcome) distribution(arguments []any) (any, error) {
	for i, argument := range arguments {
		if i == 0 {
			if _, bucket := argument.([]any); bucket {
				return nil, refuse("a distribution of its prerequisite %q has no seed", o.flag.Key())
			}
			if _, err := o.safe(argument); err != nil {
				return nil, err
			}
			continue
		}
		if err := o.bucket(argument); err != nil {
			return nil, err
		}
	}
	distributed := map[string]any{"fractional": arguments}
	return operation("if", distributed, distributed, nameOf(o.flag.DefaultVariant())), nil
}

// bucket refuses a bucket that is not the name of a variant with a weight.
func (o *outcome) bucket(argument any) error {
	parts, _ := argument.([]any)
	name, isName := "", false
	if len(parts) > 0 {
		name, isName = parts[0].(string)
	}
	weighted := len(parts) == 1
	if len(parts) == 2 {
		_, weighted = parts[1].(json.Number)
	}
	if !isName || o.flag.Variant(name) == nil || !weighted {
		return refuse("a bucket of its prerequisite %q is computed, or names no variant", o.flag.Key())
	}
	return nil
}
