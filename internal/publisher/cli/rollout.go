package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
)

func flagRollout() commandline.Invocation {
	var key string
	var given []string
	f := newForm("flag rollout", "Gives variants of a flag to percentages of the users, the default variant to the rest. It changes the one fractional that the "+
		"rule of the flag has, or adds one where there is no rule.").inEnvironment()
	flagKind().key(f, &key)
	f.set.Words(&given, "VARIANT=PERCENT", "variant, and to how many percent of the users it goes, such as on=10")
	var wanted []share
	f.checks = append(f.checks, func() (err error) {
		wanted, err = readShares(given)
		return err
	})
	w := f.writes()
	return f.runs(func(ctx context.Context, s *session) error {
		body, seen, err := s.client.Document(ctx, f.environment, flagKind().id(key))
		if err != nil {
			return err
		}
		flag := declared(document.Document{Kind: document.KindFlag, Key: key, Body: body}).Flag(key)
		rule, err := rolledOut(flag, wanted)
		if err != nil {
			return err
		}
		c := flagKind().change(f, key, "patch")
		c.command.Patch = []byte(object([]string{"targeting"}, []jsontext.Value{rule}))
		c.done = "flag " + printable(key) + " is rolled out: " + strings.Join(given, ", ")
		if !flag.Enabled() {
			c.hint = "the flag is off, so that this shows once it is on: flagside flag toggle " + shellWord(key) + " on -e " + f.environment
		}
		return w.writeSeen(ctx, s, c, seen)
	})
}

// declared returns flags that tell what their documents say. They are compiled without what they depend on, so they may not answer.
func declared(documents ...document.Document) *eval.Ruleset {
	rules, _ := eval.New().Update(documents)
	return rules
}

// rolledOut returns the rule of a flag in which variants have their shares.
func rolledOut(flag *eval.Flag, wanted []share) (jsontext.Value, error) {
	key, targeting, byDefault := flag.Key(), jsontext.Value(flag.Targeting()), ""
	if v := flag.DefaultVariant(); v != nil {
		byDefault = v.Name()
	}
	refuse := func(why string) error {
		return &failure{code: exitInvalid, text: visible(fmt.Sprintf("flag %s %s: change its rule with flagside flag edit %s", key, why, key))}
	}
	all, err := withRest(key, byDefault, wanted)
	if err != nil {
		return nil, err
	}
	if len(targeting) == 0 || targeting.Kind() == 'n' {
		return object([]string{"fractional"}, []jsontext.Value{array(weights(all))}), nil
	}
	change := func(arguments []jsontext.Value) ([]jsontext.Value, error) {
		before := arguments
		if len(arguments) > 0 && arguments[0].Kind() != '[' { // what users are told apart by
			before = arguments[1:]
		}
		order, plain := variantsOf(before)
		if !plain {
			return nil, refuse("has a fractional with computed variants or weights")
		}
		return append(arguments[:len(arguments)-len(before):len(arguments)-len(before)], weights(inOrder(all, order))...), nil
	}
	rule, calls, err := rewriting{operator: "fractional", through: branches, change: change}.apply(targeting)
	switch {
	case err != nil:
		return nil, err
	case calls == 0:
		return nil, refuse("has a rule without a fractional to change")
	case calls > 1:
		return nil, refuse(fmt.Sprintf("has a rule with %d fractionals", calls))
	}
	return rule, nil
}

// variantsOf returns the variants of the buckets of a fractional, false if one of them is not plainly a variant and a number.
func variantsOf(buckets []jsontext.Value) (order []string, plain bool) {
	for _, bucket := range buckets {
		if bucket.Kind() != '[' {
			return nil, false
		}
		parts, err := elements(bucket)
		if err != nil || len(parts) == 0 || len(parts) > 2 || len(parts) == 2 && parts[1].Kind() != '0' {
			return nil, false
		}
		variant, ok := unquoted(parts[0])
		if !ok {
			return nil, false
		}
		order = append(order, variant)
	}
	return order, true
}

// inOrder sorts shares as variants stand already, so that users keep their variants as far as can be; new ones come before the last, which
// mostly is the rest.
func inOrder(all []share, order []string) []share {
	place := func(part share) int {
		if i := slices.Index(order, part.variant); i >= 0 {
			return 2 * i
		}
		return 2*len(order) - 3
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b share) int { return cmp.Compare(place(a), place(b)) })
	return sorted
}
