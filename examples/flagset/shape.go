package flagset

import (
	"fmt"
	"math/rand/v2"
)

// shape says how a flag decides.
type shape string

const (
	shapeSwitch        shape = "switch"
	shapeRule          shape = "rule"
	shapeManyRules     shape = "rules"
	shapePercentage    shape = "percentage"
	shapeVersion       shape = "version"
	shapeAllowList     shape = "list"
	shapeSegment       shape = "segment"
	shapePrerequisite  shape = "prerequisite"
	shapeConfiguration shape = "configuration"
)

// mix returns how many of 100 flags have each shape.
func mix() []struct {
	shape shape
	share int
} {
	return []struct {
		shape shape
		share int
	}{
		{shapeSwitch, 40},
		{shapeRule, 20},
		{shapePercentage, 12},
		{shapeAllowList, 6},
		{shapeManyRules, 5},
		{shapeVersion, 5},
		{shapeSegment, 5},
		{shapePrerequisite, 4},
		{shapeConfiguration, 3},
	}
}

// shapeOf returns the shape of flag i. Flag 0 is a switch, so that every later flag has a switch before it.
func shapeOf(i int, seed uint64) shape {
	if i == 0 {
		return shapeSwitch
	}
	at := source(i, seed, shapeStream).IntN(100)
	for _, part := range mix() {
		if at -= part.share; at < 0 {
			return part.shape
		}
	}
	panic("flagset: the shares of the mix do not add up to 100")
}

// complete adds to flag i what its shape needs.
func (s shape) complete(f *flag, r *rand.Rand, i int, seed uint64) {
	switch s {
	case shapeSwitch:
		f.Default = pick(r, []string{"on", "off"})
	case shapeRule:
		f.Targeting = when(anyCondition(r), "on", "off")
	case shapeManyRules:
		manyRules(f, r)
	case shapePercentage:
		percentage(f, r)
	case shapeVersion:
		version := fmt.Sprintf("%d.%d.%d", 1+r.IntN(9), r.IntN(20), r.IntN(10))
		f.Targeting = when(object{"sem_ver": list{variable("appVersion"), pick(r, []string{">=", "<", "^"}), version}}, "on", "off")
	case shapeAllowList:
		f.Targeting = when(object{"in": list{variable("targetingKey"), customers(r, 50)}}, "on", "off")
	case shapeSegment:
		f.Targeting = when(object{"$ref": pick(r, segmentNames())}, "on", "off")
	case shapePrerequisite:
		f.Prerequisites = []prerequisite{{Flag: Key(earlierSwitch(r, i, seed), seed), Variants: []string{"on"}}}
		f.OffVariant = "off"
		f.Targeting = when(anyCondition(r), "on", "off")
	case shapeConfiguration:
		configuration(f, r)
	}
}

// manyRules gives the flag ten rules with a variant each.
func manyRules(f *flag, r *rand.Rand) {
	f.Variants, f.Default = object{"default": "default"}, "default"
	var arms list
	for rule := range 10 {
		variant := fmt.Sprintf("variant-%d", rule)
		f.Variants[variant] = variant
		arms = append(arms, object{"and": list{anyCondition(r), anyCondition(r)}}, variant)
	}
	f.Targeting = object{"if": append(arms, "default")}
}

// percentage distributes customers over two to four variants.
func percentage(f *flag, r *rand.Rand) {
	f.Variants, f.Default = object{}, "v0"
	var buckets list
	for bucket := range 2 + r.IntN(3) {
		variant := fmt.Sprintf("v%d", bucket)
		f.Variants[variant] = variant
		buckets = append(buckets, list{variant, 1 + r.IntN(100)})
	}
	f.Targeting = object{"fractional": buckets}
	if r.IntN(2) == 0 {
		f.Targeting = when(anyCondition(r), f.Targeting, "v0")
	}
}

// configuration gives the flag two JSON objects of about half a kilobyte.
func configuration(f *flag, r *rand.Rand) {
	f.Variants, f.Default = object{}, "standard"
	for _, variant := range []string{"standard", "large"} {
		limits := object{}
		for limit := range 20 {
			limits[fmt.Sprintf("limit-%02d", limit)] = r.IntN(100_000)
		}
		f.Variants[variant] = object{"limits": limits, "enabled": r.IntN(2) == 0, "names": customers(r, 10)}
	}
	f.Targeting = when(anyCondition(r), "large", "standard")
}

// earlierSwitch returns the number of a switch before flag i, so that prerequisites never form a cycle.
func earlierSwitch(r *rand.Rand, i int, seed uint64) int {
	for range 16 {
		if candidate := r.IntN(i); shapeOf(candidate, seed) == shapeSwitch {
			return candidate
		}
	}
	return 0
}
