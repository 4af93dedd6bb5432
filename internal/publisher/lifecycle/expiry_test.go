package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

// intend returns what a policy wants of the flag f with a document, on a day in July 2026.
func intend(t *testing.T, p lifecycle.Policy, body string, dependants ...string) (lifecycle.Intent, string) {
	t.Helper()
	rules := compile(t, map[string]string{"f": body})
	now := time.Date(2026, 7, 30, 12, 0, 0, 0, time.UTC)
	intent := p.Intend(lifecycle.Of(rules.Flags(), 0, p.Settings(), now)[0], dependants)
	if intent.Action != lifecycle.Freeze || !intent.Due() {
		return intent, ""
	}
	merge, err := intent.Merge(rules.Flag("f"))
	if err != nil {
		t.Fatal(err)
	}
	return intent, string(merge)
}

func TestIntend(t *testing.T) {
	t.Parallel()
	const on = `{"state":"ENABLED","variants":{"a":1,"b":2},"kind":"experiment","expires":"2026-06-30"`
	const rule = `,"targeting":{"fractional":[["a",50],["b",50]]}`
	freeze := func(to string) lifecycle.OnExpiry { return lifecycle.OnExpiry{Action: lifecycle.Freeze, FreezeTo: to} }
	remove := lifecycle.OnExpiry{Action: lifecycle.ProposeRemoval}
	for name, c := range map[string]struct {
		rule       lifecycle.OnExpiry
		document   string
		dependants []string
		want       lifecycle.Intent
		merge      string
	}{
		"to its default":             {freeze(""), on + rule + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b"}, `{"defaultVariant":"b","targeting":null}`},
		"to its default, said so":    {freeze("defaultVariant"), on + rule + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b"}, `{"defaultVariant":"b","targeting":null}`},
		"to a variant":               {freeze("a"), on + rule + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "a"}, `{"defaultVariant":"a","targeting":null}`},
		"to the one when it is off":  {freeze("offVariant"), on + rule + `,"defaultVariant":"b","offVariant":"a"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "a"}, `{"defaultVariant":"a","targeting":null}`},
		"to none when it is off":     {freeze("offVariant"), on + rule + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Blocked: "it has no offVariant to be frozen to"}, ""},
		"to no variant of it":        {freeze("c"), on + rule + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Blocked: `it has no variant "c" to be frozen to`}, ""},
		"without a default":          {freeze(""), on + rule + `}`, nil, lifecycle.Intent{Action: lifecycle.Freeze}, `{"targeting":null}`},
		"without a rule":             {freeze(""), on + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b", Done: true}, ""},
		"without a rule, to another": {freeze("a"), on + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "a"}, `{"defaultVariant":"a"}`},
		"off":                        {freeze("a"), strings.Replace(on, "EN", "DIS", 1) + rule + `,"defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Done: true}, ""},
		"reported":                   {lifecycle.OnExpiry{Action: lifecycle.Report}, on + rule + `}`, nil, lifecycle.Intent{}, ""},
		"not expired":                {freeze(""), strings.Replace(on, "2026-06", "2026-08", 1) + rule + `}`, nil, lifecycle.Intent{}, ""},
		"of another kind":            {freeze(""), strings.Replace(on, "experiment", "release", 1) + rule + `}`, nil, lifecycle.Intent{}, ""},
		"without a kind":             {freeze(""), strings.Replace(on, `"kind":"experiment",`, "", 1) + rule + `}`, nil, lifecycle.Intent{}, ""},
		"to be removed":              {remove, on + rule + `}`, nil, lifecycle.Intent{Action: lifecycle.ProposeRemoval}, ""},
		"to be removed, off":         {remove, strings.Replace(on, "EN", "DIS", 1) + `}`, nil, lifecycle.Intent{Action: lifecycle.ProposeRemoval}, ""},
		"needed by one":              {remove, on + `}`, []string{"x"}, lifecycle.Intent{Action: lifecycle.ProposeRemoval, Blocked: "other flags need it: x"}, ""},
		"owned by files":             {freeze(""), on + rule + `,"$source":"publisher:/flags","defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b", Blocked: "it belongs to the files in /flags: change it there"}, ""},
		"owned by an object":         {remove, on + `,"$source":"publisher:kubernetes:shop/search"}`, nil, lifecycle.Intent{Action: lifecycle.ProposeRemoval, Blocked: "it belongs to the FeatureFlag object shop/search: change it there"}, ""},
		"frozen by its owner":        {freeze(""), on + `,"$source":"publisher:/flags","defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b", Done: true}, ""},
		"taken from its owner":       {freeze(""), on + rule + `,"$source":"taken:publisher:/flags","defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b"}, `{"defaultVariant":"b","targeting":null}`},
		"applied by a job":           {freeze(""), on + rule + `,"$source":"github.com/shop","defaultVariant":"b"}`, nil, lifecycle.Intent{Action: lifecycle.Freeze, Variant: "b"}, `{"defaultVariant":"b","targeting":null}`},
		"needed by many":             {remove, on + `}`, []string{"v", "w", "x", "y", "z"}, lifecycle.Intent{Action: lifecycle.ProposeRemoval, Blocked: "other flags need it: v, w, x and 2 more"}, ""},
	} {
		p := lifecycle.DefaultPolicy()
		p.OnExpiry = map[string]lifecycle.OnExpiry{"experiment": c.rule}
		got, merge := intend(t, p, c.document, c.dependants...)
		if merge != c.merge || got.Action != c.want.Action || got.Variant != c.want.Variant || got.Done != c.want.Done || got.Blocked != c.want.Blocked {
			t.Errorf("%s: %+v, %s; want %+v, %s", name, got, merge, c.want, c.merge)
		}
		if due := c.merge != "" || name == "to be removed" || name == "to be removed, off"; got.Due() != due {
			t.Errorf("%s: due is %t", name, got.Due())
		}
	}
}

// A kill switch is never touched, whatever a policy says that was never valid.
func TestKillSwitchesAreExempt(t *testing.T) {
	t.Parallel()
	for _, action := range lifecycle.Actions() {
		p := lifecycle.DefaultPolicy()
		p.OnExpiry = map[string]lifecycle.OnExpiry{"ops": {Action: action}}
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "kill switches") {
			t.Errorf("%s of ops is valid: %v", action, err)
		}
		got, _ := intend(t, p, `{"state":"ENABLED","variants":{"a":1,"b":2},"kind":"ops","expires":"2026-06-30","defaultVariant":"a","targeting":{"fractional":["a","b"]}}`)
		if got.Action != "" || got.Due() {
			t.Errorf("%s: it wants %+v", action, got)
		}
	}
}

func TestPoliciesThatCannotHold(t *testing.T) {
	t.Parallel()
	if err := lifecycle.DefaultPolicy().Validate(); err != nil || lifecycle.DefaultPolicy().Acts() {
		t.Errorf("the default policy: %v", err)
	}
	for want, change := range map[string]func(*lifecycle.Policy){
		"expiringDays": func(p *lifecycle.Policy) { p.ExpiringDays = -1 },
		"staleDays":    func(p *lifecycle.Policy) { p.StaleDays = 0 },
		"no kind":      func(p *lifecycle.Policy) { p.OnExpiry = map[string]lifecycle.OnExpiry{"": {Action: lifecycle.Freeze}} },
		"cannot be":    func(p *lifecycle.Policy) { p.OnExpiry = map[string]lifecycle.OnExpiry{"release": {}} },
		"goes with": func(p *lifecycle.Policy) {
			p.OnExpiry = map[string]lifecycle.OnExpiry{"release": {Action: lifecycle.ProposeRemoval, FreezeTo: "a"}}
		},
		"at most 256": func(p *lifecycle.Policy) {
			p.OnExpiry = map[string]lifecycle.OnExpiry{"release": {Action: lifecycle.Freeze, FreezeTo: strings.Repeat("a", 257)}}
		},
	} {
		p := lifecycle.DefaultPolicy()
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}
