package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// share is a part of the users, in thousandths of a percent, that gets a variant.
type share struct {
	variant string
	parts   int
}

// wholeShare is all users.
const wholeShare = 100_000

// readShares reads percentages of users by variant.
func readShares(given []string) (all []share, err error) {
	sum, seen := 0, make(map[string]bool)
	for _, text := range given {
		i := strings.LastIndex(text, "=")
		if i < 1 {
			return nil, fmt.Errorf("%q is not VARIANT=PERCENT, such as on=10", text)
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
		return nil, fmt.Errorf("the percentages add up to %v: give at most 100 together", float64(sum)*100/wholeShare)
	}
	return all, nil
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
