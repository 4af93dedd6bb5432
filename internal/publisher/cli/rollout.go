package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// share is a part of the users, in thousandths of a percent, that gets a variant.
type share struct {
	variant string
	parts   int
}

// wholeShare is all users.
const wholeShare = 100_000

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
		path := flagKind().path(f.environment, key)
		found, err := s.do(ctx, admin.Call{Path: path})
		if err != nil {
			return err
		}
		flag := declared(document.Document{Kind: document.KindFlag, Key: key, Body: found.Body}).Flag(key)
		rule, err := rolledOut(flag, wanted)
		if err != nil {
			return err
		}
		c := flagKind().change(f, key, "patch", http.MethodPatch)
		patch := object([]string{"targeting"}, []jsontext.Value{rule})
		c.Body, c.Media, c.command.Patch = patch, admin.MergePatchMedia, []byte(patch)
		c.done = "flag " + printable(key) + " is rolled out: " + strings.Join(given, ", ")
		if !flag.Enabled() {
			c.hint = "the flag is off, so that this shows once it is on: flagside flag toggle " + shellWord(key) + " on -e " + f.environment
		}
		if w.match == "" {
			w.match = revision(found.Header)
		}
		return w.writeExisting(ctx, s, c, path)
	})
}

// declared returns flags that tell what their documents say. They are compiled without what they depend on, so they may not answer.
func declared(documents ...document.Document) *eval.Ruleset {
	rules, _ := eval.New().Update(documents)
	return rules
}

// readShares reads percentages of users by variant.
func readShares(given []string) (all []share, err error) {
	sum, seen := 0, make(map[string]bool)
	for _, text := range given {
		i := strings.LastIndex(text, "=")
		if i < 1 {
			return nil, fmt.Errorf("%q is no variant and percentage such as on=10", text)
		}
		percent, err := strconv.ParseFloat(strings.TrimSuffix(text[i+1:], "%"), 64)
		parts := math.Round(percent * wholeShare / 100)
		if err != nil || !(percent >= 0 && percent <= 100) || math.Abs(parts/wholeShare*100-percent) > 1e-9 {
			return nil, fmt.Errorf("%q: a percentage is a number from 0 to 100 with at most three digits behind the point", text)
		}
		if seen[text[:i]] {
			return nil, fmt.Errorf("variant %q is given twice", text[:i])
		}
		seen[text[:i]] = true
		sum += int(parts)
		all = append(all, share{text[:i], int(parts)})
	}
	if sum > wholeShare {
		return nil, fmt.Errorf("the percentages are %v together: at most 100 can be given away", float64(sum)*100/wholeShare)
	}
	return all, nil
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

// withRest adds the default variant with what is left, and leaves out what no user gets.
func withRest(key, byDefault string, wanted []share) (all []share, err error) {
	rest := wholeShare
	for _, part := range wanted {
		if part.variant == byDefault {
			return nil, &failure{code: exitInvalid, text: visible(fmt.Sprintf("%q is the default variant of flag %s, which gets the rest: give the shares of the others", byDefault, key))}
		}
		rest -= part.parts
		if part.parts > 0 {
			all = append(all, part)
		}
	}
	switch {
	case rest > 0 && byDefault == "":
		return nil, &failure{code: exitInvalid, text: visible(fmt.Sprintf("flag %s has no default variant for the rest of the users: give shares of 100 percent together", key))}
	case rest > 0:
		all = append(all, share{byDefault, rest})
	}
	return all, nil
}

// weights returns shares as arguments of a fractional, in whole numbers that are as small as can be.
func weights(all []share) (arguments []jsontext.Value) {
	divisor := 0
	for _, part := range all {
		for a, b := part.parts, divisor; ; a, b = b, a%b {
			if b == 0 {
				divisor = a
				break
			}
		}
	}
	if percent := wholeShare / 100; divisor%percent == 0 {
		divisor = percent // people read percentages more easily
	}
	for _, part := range all {
		arguments = append(arguments, array([]jsontext.Value{quoted(part.variant), jsontext.Value(strconv.Itoa(part.parts / divisor))}))
	}
	return arguments
}
