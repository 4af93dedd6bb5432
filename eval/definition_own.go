package eval

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// minStaleness is the smallest maxStaleness: a follower needs that long to notice that it hears nothing.
const minStaleness = 3 * time.Second

// readOwn reads the members that flagd does not have. With CompatibilityFlagd they mean nothing, as in flagd.
func (r *definitionReader) readOwn(name, spelled string, s *syntax) {
	if strings.HasPrefix(name, "$") || strings.HasPrefix(name, "x-") {
		return
	}
	if r.lenient() {
		r.readMeaningless(name, spelled, s)
		return
	}
	switch name {
	case "prerequisites":
		r.readPrerequisites(s)
	case "offVariant":
		r.readOffVariant(s)
	case "salt":
		r.into.salt = r.text(s, name)
	case "freshness":
		r.into.demands.freshness = Freshness(r.oneOf(s, name, string(FreshnessCacheFirst), string(FreshnessBackgroundRefresh), string(FreshnessAlwaysFresh)))
	case "onUnreachable":
		r.into.demands.onUnreachable = OnUnreachable(r.oneOf(s, name, string(OnUnreachableServeStale), string(OnUnreachableDefaultVariant), string(OnUnreachableError)))
	case "refreshAfter":
		r.into.demands.refreshAfter = r.duration(s, name, 0)
	case "maxStaleness":
		r.into.demands.maxStaleness = r.duration(s, name, minStaleness)
	case "kind":
		r.oneOf(s, name, "release", "experiment", "ops", "permission")
	case "owner", "description":
		r.text(s, name)
	case "expires":
		r.checkExpires(s)
	case "tags":
		r.checkTags(s)
	case "exposures":
		r.into.exposures = r.boolean(s, name)
	default:
		r.problem(s, "the member "+strconv.Quote(spelled)+" is not known", "correct its spelling, or begin it with x- to keep data of your own")
	}
}

// readMeaningless reads what does nothing with CompatibilityFlagd. Of two members flagd minds the type nevertheless.
func (r *definitionReader) readMeaningless(name, spelled string, s *syntax) {
	switch known := strings.EqualFold(name, "key") || strings.EqualFold(name, "source"); {
	case !known:
		r.problem(s, "the member "+strconv.Quote(spelled)+" has no meaning with compatibility flagd", "")
	case s.kind != kindString && s.kind != kindNull:
		r.fatal(s, spelled+" must be a string", "")
	}
}

// text returns a string that must not be empty, except for descriptions and owners, which say nothing to evaluation.
func (r *definitionReader) text(s *syntax, name string) string {
	if s.kind != kindString || name == "salt" && s.text == "" {
		r.problem(s, name+" must be a string", "")
		return ""
	}
	return s.text
}

func (r *definitionReader) boolean(s *syntax, name string) bool {
	if s.kind != kindBool {
		r.problem(s, name+" must be true or false", "")
		return false
	}
	return s.text == "true"
}

// oneOf returns the string, or the first of the allowed ones if it is none of them.
func (r *definitionReader) oneOf(s *syntax, name string, allowed ...string) string {
	for _, a := range allowed {
		if s.kind == kindString && s.text == a {
			return a
		}
	}
	r.problem(s, name+" must be one of "+strings.Join(allowed, ", "), "")
	return allowed[0]
}

func (r *definitionReader) duration(s *syntax, name string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(s.text)
	switch {
	case s.kind != kindString || err != nil:
		r.problem(s, name+" must be a duration", "write a number and a unit, for example \"30s\" or \"5m\"")
		return 0
	case d <= 0:
		r.problem(s, name+" must be positive", "")
		return 0
	case d < least:
		r.problem(s, name+" must be at least "+least.String(), "a shorter time cannot be told from the pace of the heartbeat")
		return 0
	}
	return d
}

func (r *definitionReader) checkExpires(s *syntax) {
	if _, ok := expiry(s); !ok {
		r.problem(s, "expires must be a date or a time", "write it as in RFC 3339, for example 2030-01-31 or 2030-01-31T12:00:00Z")
	}
}

func (r *definitionReader) checkTags(s *syntax) {
	if s.kind != kindArray {
		r.problem(s, "tags must be a list of strings", "")
		return
	}
	for i := range s.items {
		if s.items[i].kind != kindString {
			r.problem(&s.items[i], "a tag must be a string", "")
		}
	}
}

func (r *definitionReader) readOffVariant(s *syntax) {
	if s.kind != kindString {
		r.problem(s, "offVariant must be the name of a variant", "leave it out to use defaultVariant")
		return
	}
	r.into.offVariant = r.into.variants.ordered.named(s.text)
	if r.into.offVariant == nil {
		r.problem(s, "the variant "+strconv.Quote(s.text)+" does not exist", r.variantHint())
	}
}

func (r *definitionReader) readPrerequisites(s *syntax) {
	const hint = "write [{\"flag\": \"key\", \"variants\": [\"on\"]}]"
	if s.kind != kindArray {
		r.problem(s, "prerequisites must be a list", hint)
		return
	}
	for i := range s.items {
		item := &s.items[i]
		if item.kind != kindObject {
			r.problem(item, "a prerequisite must be an object", hint)
			continue
		}
		r.readPrerequisite(item, hint)
	}
	r.refuseContradictions()
}

// refuseContradictions reports prerequisites that no answer can meet, because those before them want other variants of the same flag.
func (r *definitionReader) refuseContradictions() {
	possible := make(map[string][]string)
	for _, p := range r.into.prerequisites {
		names, again := possible[p.Flag]
		if !again {
			possible[p.Flag] = p.Variants
			continue
		}
		both := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(p.Variants, name) })
		if len(both) == 0 && len(names) > 0 {
			r.problem(p.at, "no variant of the flag "+strconv.Quote(p.Flag)+" meets this prerequisite and those before it", "name the variants of a flag in one prerequisite")
		}
		possible[p.Flag] = both
	}
}

func (r *definitionReader) readPrerequisite(item *syntax, hint string) {
	reference := prerequisiteReference{at: item}
	for i, name := range item.names {
		s := &item.items[i]
		switch {
		case name == "flag" && s.kind == kindString && s.text != "":
			reference.Flag = s.text
		case name == "variants" && s.kind == kindArray && len(s.items) > 0 && allStrings(s.items):
			for j := range s.items {
				reference.Variants = append(reference.Variants, s.items[j].text)
			}
		case name == "flag":
			r.problem(s, "flag must be the key of a flag", hint)
		case name == "variants":
			r.problem(s, "variants must be a list of names of variants that is not empty", hint)
		default:
			r.problem(s, "the member "+strconv.Quote(name)+" is not known", hint)
		}
	}
	switch {
	case item.member("flag") == nil:
		r.problem(item, "a prerequisite needs a flag", hint)
	case item.member("variants") == nil:
		r.problem(item, "a prerequisite needs variants", hint)
	case reference.Flag != "" && len(reference.Variants) > 0:
		r.into.prerequisites = append(r.into.prerequisites, reference)
	}
}
