package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
)

// The codes of the reasons why a change is risky.
const (
	RiskProtected  = "protected-environment"
	RiskFreeze     = "freeze-window"
	RiskTag        = "sensitive-tag"
	RiskShare      = "share-of-users"
	RiskDependants = "dependants"
	RiskKill       = "kill-in-use"
	RiskType       = "type-change"
	RiskRemoval    = "removal"
)

// RiskSettings say what is risky in an environment. The zero value is not useful: see DefaultRiskSettings.
type RiskSettings struct {
	// Protected marks an environment where every change is risky.
	Protected bool `json:"protected,omitzero"`
	// Tags are those of flags every change of which is risky.
	Tags []string `json:"tags,omitempty"`
	// Share is the part of the users, from 0 to 1, from which on a change of their answer is risky. 0 turns this off.
	Share float64 `json:"share,omitzero"`
	// Dependants is the number of flags from which on a change of what they depend on is risky. 0 turns this off.
	Dependants int `json:"dependants,omitzero"`
	// Freezes are the times in which every change is risky.
	Freezes []Freeze `json:"freezes,omitempty"`
}

// maxRiskEntries bounds the tags, and the freeze windows.
const maxRiskEntries = 100

// Freeze is a time, from and up to but not including, in which nothing is to be changed without need.
type Freeze struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason,omitempty"`
}

// DefaultRiskSettings returns what holds in an environment until someone decides otherwise: prod and production are protected.
func DefaultRiskSettings(environment string) RiskSettings {
	return RiskSettings{
		Protected:  environment == "prod" || environment == "production",
		Tags:       []string{"security", "payments"},
		Share:      0.25,
		Dependants: 5,
	}
}

func (r RiskSettings) validate() error {
	switch {
	case r.Share < 0 || r.Share > 1:
		return &Refusal{Cause: CauseMalformed, Detail: "The share of users is a number from 0 to 1."}
	case r.Dependants < 0:
		return &Refusal{Cause: CauseMalformed, Detail: "The number of dependants is not negative."}
	}
	if len(r.Tags) > maxRiskEntries || len(r.Freezes) > maxRiskEntries {
		return &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("There are at most %d tags and %d freeze windows.", maxRiskEntries, maxRiskEntries)}
	}
	for _, f := range r.Freezes {
		if !f.From.Before(f.To) {
			return &Refusal{Cause: CauseMalformed, Detail: "A freeze window ends after it begins."}
		}
		if f.From.UTC().Year() < 0 || f.To.UTC().Year() > 9999 {
			return &Refusal{Cause: CauseMalformed, Detail: "A freeze window lies between the years 0 and 9999 in UTC."}
		}
	}
	return nil
}

// patched returns the settings after a merge patch.
func (r RiskSettings) patched(patch []byte) (RiskSettings, error) {
	change, err := compact(patch)
	if err != nil {
		return r, err
	}
	if jsontext.Value(change).Kind() != '{' {
		return r, &Refusal{Cause: CauseMalformed, Detail: `A patch of what is risky is a JSON object with the members to change, such as {"protected":true}.`}
	}
	before, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("risk settings: %w", err)
	}
	after, err := merge(before, change)
	if err != nil {
		return r, &Refusal{Cause: CauseMalformed, Detail: "The patch cannot be applied: " + err.Error() + "."}
	}
	var result RiskSettings
	if err := json.Unmarshal(after, &result, json.RejectUnknownMembers(true)); err != nil {
		return r, &Refusal{Cause: CauseMalformed, Detail: "The patch does not lead to settings of risk: " + err.Error() + "."}
	}
	return result, nil
}

// Usage tells whether a flag was evaluated lately, and whether that is known.
type Usage func(flag string) (inUse, known bool)

// Assess returns what changes put at stake when they are made to a state at a time. A segment's risk is that of the flags that depend
// on it. A nil usage knows of none.
func Assess(s State, changes []document.Document, r RiskSettings, usage Usage, now time.Time) access.Risk {
	if len(changes) == 0 {
		return access.Risk{}
	}
	a := assessment{
		state: s, settings: r, usage: usage, counts: make(map[string]int), tagged: make(map[string]bool),
		risk: access.Risk{ShareKnown: true, UsageKnown: true},
	}
	a.next, _, _ = candidate(s.Rules(), changes)
	a.environment(now)
	changed := make(map[string]bool)
	for _, c := range changes {
		if c.Kind == document.KindFlag {
			changed[c.Key] = true
			a.flag(c)
		} else {
			a.removal(c)
		}
	}
	a.dependants(changed)
	if a.settings.Share > 0 && a.risk.Share >= a.settings.Share {
		a.because(RiskShare, "The answer changes for %.4g %% of the users or more.", 100*a.risk.Share)
	}
	for _, code := range slices.Sorted(maps.Keys(a.counts)) {
		if more := a.counts[code] - maxReasons; more > 0 {
			a.risk.Reasons = append(a.risk.Reasons, access.RiskReason{Code: code, Sentence: fmt.Sprintf("There are %d more reasons like these.", more)})
		}
	}
	a.risk.High = len(a.risk.Reasons) > 0
	return a.risk
}

// maxReasons is how many reasons with the same code are listed one by one, so that a record of them has a bounded size.
const maxReasons = 20

// assessment is a risk in the making.
type assessment struct {
	counts   map[string]int  // reasons by their code
	tagged   map[string]bool // flags and tags that are among the reasons
	state    State
	next     *eval.Ruleset // with the changes
	settings RiskSettings
	usage    Usage
	risk     access.Risk
}

func (a *assessment) because(code, format string, args ...any) {
	if a.counts[code]++; a.counts[code] > maxReasons {
		return
	}
	a.risk.Reasons = append(a.risk.Reasons, access.RiskReason{Code: code, Sentence: fmt.Sprintf(format, args...)})
}

func (a *assessment) environment(now time.Time) {
	if a.settings.Protected {
		a.because(RiskProtected, "The environment is protected.")
	}
	for _, f := range a.settings.Freezes {
		if !now.Before(f.From) && now.Before(f.To) {
			a.because(RiskFreeze, "Changes are frozen until %s. %s", f.To.UTC().Format(time.RFC3339), f.Reason)
		}
	}
}

// flag adds what the change of one flag puts at stake.
func (a *assessment) flag(c document.Document) {
	before, after := a.state.Rules().Flag(c.Key), a.next.Flag(c.Key)
	a.labels(before)
	a.labels(after)
	inUse, known := a.used(c.Key)
	a.risk.InUse = a.risk.InUse || inUse
	a.risk.UsageKnown = a.risk.UsageKnown && known
	switch {
	case before == nil:
		a.risk.ShareKnown = false // someone may ask for it already
	case after == nil:
		a.removal(c)
		a.risk.Share = 1
	default:
		a.answers(before, after)
	}
}

// answers adds what follows from other answers of a flag.
func (a *assessment) answers(before, after *eval.Flag) {
	if was, is := kinds(before), kinds(after); was != is {
		a.because(RiskType, "Flag %q changes the type of its values from %s to %s.", after.Key(), was, is)
	}
	inUse, known := a.used(after.Key())
	if before.Enabled() && !after.Enabled() && (inUse || !known) {
		a.because(RiskKill, "Flag %q is turned off, and %s.", after.Key(), usageClause(known))
	}
	share, shareKnown := changedShare(before, after)
	a.risk.Share = max(a.risk.Share, share)
	a.risk.ShareKnown = a.risk.ShareKnown && shareKnown && before.Current() && after.Current()
}

func usageClause(known bool) string {
	if known {
		return "it is in use"
	}
	return "it is not known whether it is in use"
}

func (a *assessment) used(key string) (inUse, known bool) {
	if a.usage == nil {
		return false, false
	}
	return a.usage(key)
}

func (a *assessment) removal(c document.Document) {
	if c.Body == nil {
		a.because(RiskRemoval, "The %s %q is removed.", c.Kind, c.Key)
	}
}

// labels adds what a flag says of itself; nil says nothing.
func (a *assessment) labels(f *eval.Flag) {
	if f == nil {
		return
	}
	if f.InvalidLabels() && !a.tagged[f.Key()] {
		a.tagged[f.Key()] = true
		a.because(RiskTag, "Flag %q has labels that cannot be read: they may be sensitive tags.", f.Key())
	}
	for _, tag := range f.Tags() {
		if a.sensitive(tag) && !a.tagged[f.Key()+"\x00"+tag] {
			a.tagged[f.Key()+"\x00"+tag] = true
			a.because(RiskTag, "Flag %q has the tag %q.", f.Key(), tag)
		}
	}
}

// sensitive reports whether a tag is one that makes changes risky, in whichever case it is written.
func (a *assessment) sensitive(tag string) bool {
	return slices.ContainsFunc(a.settings.Tags, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), strings.TrimSpace(tag)) })
}

// dependants adds what the flags have at stake that are not changed themselves.
func (a *assessment) dependants(changed map[string]bool) {
	for before, after := range a.next.Difference(a.state.Rules()) {
		flag := after
		if flag == nil {
			flag = before
		}
		if changed[flag.Key()] {
			continue
		}
		a.risk.Dependants++
		a.labels(flag)
		inUse, known := a.used(flag.Key())
		a.risk.InUse = a.risk.InUse || inUse
		a.risk.UsageKnown = a.risk.UsageKnown && known
	}
	if a.risk.Dependants > 0 && a.risk.Share < 1 {
		a.risk.ShareKnown = false
	}
	if a.settings.Dependants > 0 && a.risk.Dependants >= a.settings.Dependants {
		a.because(RiskDependants, "%d flags depend on what changes.", a.risk.Dependants)
	}
}

// kinds names the JSON types of a flag's values.
func kinds(f *eval.Flag) string {
	var names []string
	for _, v := range f.Variants() {
		names = append(names, map[byte]string{'t': "boolean", 'f': "boolean", '"': "string", '0': "number", '{': "object", '[': "list", 'n': "null"}[byte(jsontext.Value(v.Encoded()).Kind())])
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " and ")
}
