package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

const day = 24 * time.Hour

// compile returns a ruleset of flags, by key; the revision of all is 5.
func compile(t *testing.T, flags map[string]string) *eval.Ruleset {
	t.Helper()
	var documents []document.Document
	for key, body := range flags {
		documents = append(documents, document.Document{Kind: document.KindFlag, Key: key, Revision: 5, Body: []byte(body)})
	}
	rules, _ := eval.New().Update(documents)
	return rules
}

func TestStages(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	flag := func(more string) string {
		return `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"` + more + `}`
	}
	for name, c := range map[string]struct {
		document  string
		unchanged uint64
		want      lifecycle.Stage
		everyone  string
		off       bool
	}{
		"lately changed":             {flag(""), 4, lifecycle.Active, "off", false},
		"the same for everyone":      {flag(""), 5, lifecycle.Stale, "off", false},
		"a rule that says nothing":   {flag(`,"targeting":{}`), 5, lifecycle.Stale, "off", false},
		"off":                        {`{"state":"DISABLED","variants":{"on":true},"defaultVariant":"on"}`, 5, lifecycle.Stale, "", true},
		"off with an offVariant":     {`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on","offVariant":"off"}`, 5, lifecycle.Stale, "", true},
		"without a default":          {`{"state":"ENABLED","variants":{"on":true}}`, 5, lifecycle.Stale, "", true},
		"rolled out to everyone":     {flag(`,"targeting":{"fractional":[["on",100],["off",0]]}`), 5, lifecycle.Stale, "on", false},
		"half rolled out":            {flag(`,"targeting":{"fractional":[["on",50],["off",50]]}`), 5, lifecycle.Active, "", false},
		"by a rule":                  {flag(`,"targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}`), 5, lifecycle.Active, "", false},
		"a kill switch":              {flag(`,"kind":"ops"`), 5, lifecycle.Active, "off", false},
		"a permission":               {flag(`,"kind":"permission"`), 5, lifecycle.Active, "off", false},
		"an old experiment":          {flag(`,"kind":"experiment","expires":"2026-01-01"`), 4, lifecycle.Expired, "off", false},
		"an old kill switch":         {flag(`,"kind":"ops","expires":"2026-01-01"`), 4, lifecycle.Expired, "off", false},
		"at its end":                 {flag(`,"expires":"2026-06-30T12:00:00Z"`), 4, lifecycle.Expired, "off", false},
		"a second before":            {flag(`,"expires":"2026-06-30T12:00:01Z"`), 4, lifecycle.Expiring, "off", false},
		"two weeks before":           {flag(`,"expires":"2026-07-14T12:00:00Z"`), 4, lifecycle.Expiring, "off", false},
		"before that":                {flag(`,"expires":"2026-07-14T12:00:01Z"`), 4, lifecycle.Active, "off", false},
		"stale, with an end far off": {flag(`,"expires":"2027-07-14"`), 5, lifecycle.Stale, "off", false},
		"broken":                     {`{"state":"ENABLED"}`, 5, lifecycle.Active, "", false},
	} {
		rules := compile(t, map[string]string{"f": c.document})
		s := lifecycle.Settings{ExpiringWithin: 14 * day, StaleAfter: 90 * day}
		got := lifecycle.Of(rules.Flags(), c.unchanged, s, now)
		if len(got) != 1 {
			t.Fatalf("%s: %d flags", name, len(got))
		}
		everyone, off := got[0].Everyone()
		var user eval.Context
		if err := rules.DecodeContext(&user, []byte(`{"targetingKey":"user"}`)); err != nil {
			t.Fatal(err)
		}
		if answer := got[0].Flag.Evaluate(&user, now); (everyone != "" || off) && variantOf(answer) != everyone {
			t.Errorf("%s: everyone gets %q, and an evaluation gives %q", name, everyone, variantOf(answer))
		}
		if got[0].Stage != c.want || everyone != c.everyone || off != c.off {
			t.Errorf("%s: %+v, want %s, %q for everyone, off %t", name, got, c.want, c.everyone, c.off)
		}
	}
}

func variantOf(r eval.Result) string {
	if r.Variant == nil {
		return ""
	}
	return r.Variant.Name()
}

// A flag whose prerequisite decides is not the same for everyone by itself.
func TestPrerequisites(t *testing.T) {
	t.Parallel()
	rules := compile(t, map[string]string{
		"b": `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","prerequisites":[{"flag":"a","variants":["on"]}]}`,
		"a": `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`,
	})
	var got []string
	for _, s := range lifecycle.Of(rules.Flags(), 5, lifecycle.Settings{}, time.Now()) {
		got = append(got, s.Flag.Key()+" "+string(s.Stage))
	}
	if diff := cmp.Diff([]string{"a stale", "b active"}, got); diff != "" {
		t.Error(diff)
	}
}

// A flag that no application has asked for is stale too, if that is known, and has not been used for long.
func TestStaleByUse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	byRule := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}%s}`
	for name, c := range map[string]struct {
		more      string
		unchanged uint64
		last      time.Time
		complete  bool
		want      lifecycle.Stage
	}{
		"never used":            {"", 5, time.Time{}, true, lifecycle.Stale},
		"used long ago":         {"", 5, now.Add(-91 * day), true, lifecycle.Stale},
		"used":                  {"", 5, now.Add(-89 * day), true, lifecycle.Active},
		"perhaps used":          {"", 5, time.Time{}, false, lifecycle.Active},
		"lately changed":        {"", 4, time.Time{}, true, lifecycle.Active},
		"an unused kill switch": {`,"kind":"ops"`, 5, time.Time{}, true, lifecycle.Active},
	} {
		rules := compile(t, map[string]string{"f": fmt.Sprintf(byRule, c.more)})
		s := lifecycle.Settings{ExpiringWithin: 14 * day, StaleAfter: 90 * day, LastUse: func(string) (time.Time, bool) { return c.last, c.complete }}
		got := lifecycle.Of(rules.Flags(), c.unchanged, s, now)[0]
		if got.Stage != c.want || got.Unused != (c.want == lifecycle.Stale) || !got.LastUse.Equal(c.last) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
