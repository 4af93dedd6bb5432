package flagset

import (
	"fmt"
	"math/rand/v2"
)

// segments returns the rules that flags share.
func segments() object {
	return object{
		"employees":       object{"ends_with": list{variable("email"), "@shop.example"}},
		"loyal-customers": object{"in": list{variable("tier"), list{"gold", "platinum"}}},
		"mobile-app":      object{"in": list{variable("platform"), list{"android", "ios"}}},
		"neighbours":      object{"in": list{variable("country"), list{"AT", "BE", "CH", "CZ", "DK", "FR", "LU", "NL", "PL"}}},
	}
}

// segmentNames returns the names of the segments.
func segmentNames() []string {
	return []string{"employees", "loyal-customers", "mobile-app", "neighbours"}
}

// anyCondition makes up a condition on one attribute.
func anyCondition(r *rand.Rand) object {
	switch r.IntN(5) {
	case 0:
		return object{"==": list{variable("country"), pick(r, []string{"AT", "CH", "DE", "FR", "NL"})}}
	case 1:
		return object{"in": list{variable("tier"), list{"gold", "platinum"}}}
	case 2:
		return object{">=": list{variable("orders"), r.IntN(100)}}
	case 3:
		return object{"starts_with": list{variable("postcode"), fmt.Sprint(10 + r.IntN(90))}}
	default:
		return object{"==": list{variable("platform"), pick(r, []string{"android", "ios", "web"})}}
	}
}

// when chooses between two results.
func when(condition object, then, otherwise any) object {
	return object{"if": list{condition, then, otherwise}}
}

// variable reads an attribute of the context.
func variable(name string) object { return object{"var": name} }

// customers makes up n targeting keys.
func customers(r *rand.Rand, n int) list {
	keys := make(list, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("customer-%06d", r.IntN(1_000_000))
	}
	return keys
}
