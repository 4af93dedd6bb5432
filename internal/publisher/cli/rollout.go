package cli

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
		rule, err := rolledOut(key, found.Body, wanted)
		if err != nil {
			return err
		}
		c := flagKind().change(f, key, "patch", http.MethodPatch)
		patch := object([]string{"targeting"}, []jsontext.Value{rule})
		c.Body, c.Media, c.command.Patch = patch, admin.MergePatchMedia, []byte(patch)
		c.done = "flag " + printable(key) + " is rolled out: " + strings.Join(given, ", ")
		if w.match == "" {
			w.match = revision(found.Header)
		}
		return w.writeExisting(ctx, s, c, path)
	})
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

// rolledOut returns the rule of a flag document in which variants have their shares.
func rolledOut(key string, document []byte, wanted []share) (jsontext.Value, error) {
	var flag struct {
		Variants       map[string]jsontext.Value `json:"variants"`
		DefaultVariant string                    `json:"defaultVariant"`
		Targeting      jsontext.Value            `json:"targeting"`
	}
	if err := json.Unmarshal(document, &flag); err != nil {
		return nil, fmt.Errorf("flag %s: %w", printable(key), err)
	}
	refuse := func(why string) error {
		return &failure{code: exitInvalid, text: visible(fmt.Sprintf("flag %s %s: change its rule with flagside flag edit %s", key, why, key))}
	}
	all, err := withRest(key, flag.DefaultVariant, wanted)
	if err != nil {
		return nil, err
	}
	if len(flag.Targeting) == 0 || flag.Targeting.Kind() == 'n' || string(flag.Targeting) == "{}" {
		return object([]string{"fractional"}, []jsontext.Value{array(weights(all))}), nil
	}
	rule, calls, err := rewriteCalls(flag.Targeting, "fractional", func(arguments []jsontext.Value) ([]jsontext.Value, error) {
		if len(arguments) > 0 && arguments[0].Kind() != '[' { // what users are told apart by
			return append(arguments[:1:1], weights(all)...), nil
		}
		return weights(all), nil
	})
	switch {
	case err != nil:
		return nil, err
	case calls == 0:
		return nil, refuse("has a rule without a fractional")
	case calls > 1:
		return nil, refuse(fmt.Sprintf("has a rule with %d fractionals", calls))
	}
	return rule, nil
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
