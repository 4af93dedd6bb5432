package risk

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
)

// The codes of the reasons why a change is risky.
const (
	CodeProtected  = "protected-environment"
	CodeFreeze     = "freeze-window"
	CodeTag        = "sensitive-tag"
	CodeShare      = "share-of-users"
	CodeDependants = "dependants"
	CodeKill       = "kill-in-use"
	CodeType       = "type-change"
	CodeRemoval    = "removal"
	CodeUsed       = "removed-in-use"
)

// Usage tells whether a flag was evaluated lately.
type Usage func(flag string) Use

// Use is whether a flag was evaluated lately. The zero value is that it is not known.
type Use struct {
	// Known tells that InUse is known. If it is not in use, this takes that all counts of the last days are there.
	Known, InUse bool
	// By are the applications that asked for it, by name; empty names are left out.
	By []string
}

// Change is a change of documents between two rulesets.
type Change struct {
	Before, After *eval.Ruleset
	Documents     []document.Document // that are put, or deleted when their Body is nil
}

// Assess returns what a change puts at stake when it is made at a time. A segment's risk is that of the flags that depend on it. A nil usage
// knows of none.
func Assess(c Change, r Settings, usage Usage, now time.Time) access.Risk {
	if len(c.Documents) == 0 {
		return access.Risk{}
	}
	a := assessment{
		change: c, settings: r, usage: usage, counts: make(map[string]int), tagged: make(map[string]bool),
		risk: access.Risk{ShareKnown: true, UsageKnown: true},
	}
	a.environment(now)
	a.documents()
	a.share()
	a.more()
	a.risk.High = len(a.risk.Reasons) > 0
	return a.risk
}

// documents adds what the change of each document puts at stake, and what follows for others.
func (a *assessment) documents() {
	changed := make(map[string]bool)
	for _, c := range a.change.Documents {
		if c.Kind == document.KindFlag {
			changed[c.Key] = true
			a.flag(c)
		} else {
			a.removal(c)
		}
	}
	a.dependants(changed)
}

// share adds that many users get another answer.
func (a *assessment) share() {
	if a.settings.Share > 0 && a.risk.Share >= a.settings.Share {
		a.because(CodeShare, "The answer changes for %.4g %% of the users or more.", 100*a.risk.Share)
	}
}

// more says how many reasons there are that are not listed.
func (a *assessment) more() {
	for _, code := range slices.Sorted(maps.Keys(a.counts)) {
		if more := a.counts[code] - maxReasons; more > 0 {
			a.risk.Reasons = append(a.risk.Reasons, access.RiskReason{Code: code, Sentence: fmt.Sprintf("There are %d more reasons like these.", more)})
		}
	}
}

// maxReasons is how many reasons with the same code are listed one by one, so that a record of them has a bounded size.
const maxReasons = 20

// assessment is a risk in the making.
type assessment struct {
	counts   map[string]int  // reasons by their code
	tagged   map[string]bool // flags and tags that are among the reasons
	change   Change
	settings Settings
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
		a.because(CodeProtected, "The environment is protected.")
	}
	for _, f := range a.settings.Freezes {
		if !now.Before(f.From) && now.Before(f.To) {
			a.because(CodeFreeze, "Changes are frozen until %s. %s", f.To.UTC().Format(time.RFC3339), f.Reason)
		}
	}
}

// flag adds what the change of one flag puts at stake.
func (a *assessment) flag(c document.Document) {
	before, after := a.change.Before.Flag(c.Key), a.change.After.Flag(c.Key)
	a.labels(before)
	a.labels(after)
	use := a.use(c.Key)
	switch {
	case before == nil:
		a.risk.ShareKnown = false // applications may ask for it already
	case after == nil:
		a.removal(c)
		if use.InUse {
			a.because(CodeUsed, "Flag %q is in use: %s.", c.Key, use.Clause())
		}
		a.risk.Share = 1
	default:
		a.answers(before, after, use)
	}
}

// answers adds what follows from other answers of a flag.
func (a *assessment) answers(before, after *eval.Flag, use Use) {
	if was, is := kinds(before), kinds(after); was != is {
		a.because(CodeType, "Flag %q changes the type of its values from %s to %s.", after.Key(), was, is)
	}
	if before.Enabled() && !after.Enabled() && (use.InUse || !use.Known) {
		a.because(CodeKill, "Flag %q is turned off, and %s.", after.Key(), usageClause(use.Known))
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

// Clause says who uses a flag that is in use.
func (u Use) Clause() string {
	switch {
	case len(u.By) == 0:
		return "an application asked for it in the last days"
	case len(u.By) > maxNamed:
		return fmt.Sprintf("%s and %d more asked for it in the last days", strings.Join(u.By[:maxNamed], ", "), len(u.By)-maxNamed)
	default:
		return strings.Join(u.By, ", ") + " asked for it in the last days"
	}
}

// maxNamed is how many applications are named in a sentence.
const maxNamed = 10

// use returns how a flag is used, which becomes part of the risk.
func (a *assessment) use(key string) (use Use) {
	if a.usage != nil {
		use = a.usage(key)
	}
	a.risk.InUse = a.risk.InUse || use.InUse
	a.risk.UsageKnown = a.risk.UsageKnown && use.Known
	return use
}

func (a *assessment) removal(c document.Document) {
	if c.Body == nil {
		a.because(CodeRemoval, "The %s %q is removed.", c.Kind, c.Key)
	}
}

// labels adds what a flag says of itself; nil says nothing.
func (a *assessment) labels(f *eval.Flag) {
	if f == nil {
		return
	}
	if f.InvalidLabels() && !a.tagged[f.Key()] {
		a.tagged[f.Key()] = true
		a.because(CodeTag, "Flag %q has labels that cannot be read: they may be sensitive tags.", f.Key())
	}
	for _, tag := range f.Tags() {
		if a.sensitive(tag) && !a.tagged[f.Key()+"\x00"+tag] {
			a.tagged[f.Key()+"\x00"+tag] = true
			a.because(CodeTag, "Flag %q has the tag %q.", f.Key(), tag)
		}
	}
}

// sensitive reports whether a tag is one that makes changes risky, in whichever case it is written.
func (a *assessment) sensitive(tag string) bool {
	return slices.ContainsFunc(a.settings.Tags, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), strings.TrimSpace(tag)) })
}

// dependants adds what the flags have at stake that are not changed themselves.
func (a *assessment) dependants(changed map[string]bool) {
	for before, after := range a.change.After.Difference(a.change.Before) {
		flag := after
		if flag == nil {
			flag = before
		}
		if changed[flag.Key()] {
			continue
		}
		a.risk.Dependants++
		a.labels(flag)
		a.use(flag.Key())
	}
	if a.risk.Dependants > 0 && a.risk.Share < 1 {
		a.risk.ShareKnown = false
	}
	if a.settings.Dependants > 0 && a.risk.Dependants >= a.settings.Dependants {
		a.because(CodeDependants, "%d flags depend on what changes.", a.risk.Dependants)
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
