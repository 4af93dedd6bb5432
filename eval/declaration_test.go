package eval

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// said is all that a flag tells of its document.
type said struct {
	Usable, Enabled            bool
	Variants                   map[string]string
	DefaultVariant, OffVariant string
	Targeting, Salt            string
	Prerequisites              []Prerequisite
	Tags                       []string
	Description, Owner, Kind   string
	Expires                    time.Time
	InvalidLabels, Exposures   bool
}

func saidBy(f *Flag) said {
	name := func(v *Variant) string {
		if v == nil {
			return ""
		}
		return v.Name()
	}
	s := said{
		Usable: f.Usable(), Enabled: f.Enabled(), DefaultVariant: name(f.DefaultVariant()), OffVariant: name(f.OffVariant()),
		Targeting: string(f.Targeting()), Salt: f.Salt(), Prerequisites: f.Prerequisites(),
		Tags: f.Tags(), Description: f.Description(), Owner: f.Owner(), Kind: f.Kind(), Expires: f.Expires(), InvalidLabels: f.InvalidLabels(), Exposures: f.Exposures(),
	}
	for _, v := range f.Variants() {
		if f.Variant(v.Name()) != v {
			panic("a variant is not found by its name")
		}
		if s.Variants == nil {
			s.Variants = make(map[string]string)
		}
		s.Variants[v.Name()] = string(v.Encoded())
	}
	return s
}

func TestDeclaration(t *testing.T) {
	f := func(c Compatibility, body string, want said) {
		t.Helper()
		settings := document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)}
		r := New()
		if c != "" {
			r, _ = r.Update([]document.Document{settings})
		}
		r, problems := r.Update([]document.Document{{Kind: document.KindFlag, Key: "other", Body: []byte(`{"state":"ENABLED","variants":{"on":1}}`)}, {Kind: document.KindFlag, Key: "f", Body: []byte(body)}})
		if want.Usable != (problems.Err() == nil) {
			t.Fatal(problems)
		}
		if want.Salt == "" {
			want.Salt = "f"
		}
		if diff := cmp.Diff(want, saidBy(r.Flag("f"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	variants := map[string]string{"on": "1", "off": "0"}
	prerequisites := []Prerequisite{{Flag: "other", Variants: []string{"on"}}}
	f("", `{"state":"ENABLED","variants":{"on":1,"off":0},"defaultVariant":"on","offVariant":"off","targeting":{"if": [true,"on"]},`+
		`"prerequisites":[{"flag":"other","variants":["on"]}],"salt":"s","exposures":true,"tags":["a","b"],"owner":"team","description":"a \"b\" \u00e4","kind":"ops","expires":"2030-01-31"}`, said{
		Usable: true, Enabled: true, Variants: variants, DefaultVariant: "on", OffVariant: "off", Targeting: `{"if": [true,"on"]}`,
		Prerequisites: prerequisites, Salt: "s", Tags: []string{"a", "b"}, Description: "a \"b\" ä", Owner: "team", Kind: "ops",
		Expires: time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC), Exposures: true,
	})
	f("", `{"state":"DISABLED","variants":{"on":1,"off":0},"targeting":{}}`, said{Usable: true, Variants: variants})
	f("", `{"state":"DISABLED","variants":{"on":1,"off":0},"targeting":"on","prerequisites":[{"flag":"other","variants":["on"]}],"expires":"2030-01-31T12:00:00+01:00"}`, said{
		Usable: true, Variants: variants, Targeting: `"on"`, Prerequisites: prerequisites, Expires: time.Date(2030, 1, 31, 11, 0, 0, 0, time.UTC),
	})
	f(CompatibilityFlagd, `{"STATE":"DISABLED","state":"ENABLED","Variants":{"on":1,"off":0},"Targeting":"on","salt":5,"Tags":["a"],"tags":["b"]}`, said{
		Usable: true, Enabled: true, Variants: variants, Targeting: `"on"`, Tags: []string{"a", "b"},
	})
	f(CompatibilityFlagd, `{"state":"ENABLED","variants":{"on":1,"off":0},"tags":["a",5],"owner":1,"expires":5,"description":5,"exposures":true}`, said{
		Usable: true, Enabled: true, Variants: variants, Tags: []string{"a"}, InvalidLabels: true, Owner: "1",
	})
	f(CompatibilityFlagd, `null`, said{Usable: true})
}

// TestDeclarationOfUnusableFlag wants what can be read of a document that no version of which could be compiled.
func TestDeclarationOfUnusableFlag(t *testing.T) {
	f := func(body string, want said) {
		t.Helper()
		want.Salt = "f"
		r, problems := New().Update([]document.Document{{Kind: document.KindFlag, Key: "f", Body: []byte(body)}})
		flag := r.Flag("f")
		if problems.Err() == nil || flag.EvaluateDefault().ErrorCode != ErrorParse || flag.Evaluate(nil, time.Unix(0, 0)).ErrorCode != ErrorParse {
			t.Errorf("%s: got %v", body, flag.EvaluateDefault())
		}
		if diff := cmp.Diff(want, saidBy(flag)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	f(`{"state":"ENABLED","variants":{"on":1,"off":0},"defaultVariant":"on","tags":["a",5],"owner":"team","targeting":{"nope":[]}}`, said{
		Enabled: true, Variants: map[string]string{"on": "1", "off": "0"}, DefaultVariant: "on", Targeting: `{"nope":[]}`,
		Tags: []string{"a"}, Owner: "team", InvalidLabels: true,
	})
	f(`{"state":"ENABLED","variants":{"on":1},"prerequisites":[{"flag":"gone","variants":["on"]}],"tags":["a"]}`, said{
		Enabled: true, Variants: map[string]string{"on": "1"}, Prerequisites: []Prerequisite{{Flag: "gone", Variants: []string{"on"}}}, Tags: []string{"a"},
	})
	f(`5`, said{InvalidLabels: true})
	f(`{`, said{InvalidLabels: true})
}

// TestDeclarationOfLastGood wants what the version in use says when the newest document cannot be used.
func TestDeclarationOfLastGood(t *testing.T) {
	flag := func(body string) []document.Document {
		return []document.Document{{Kind: document.KindFlag, Key: "f", Body: []byte(body)}}
	}
	r := apply(t, New(), flag(`{"state":"ENABLED","variants":{"on":1},"tags":["old"]}`)...)
	before := saidBy(r.Flag("f"))
	r, _ = r.Update(flag(`{"state":"ON","variants":{"off":1},"tags":["new"]}`))
	if diff := cmp.Diff(before, saidBy(r.Flag("f"))); diff != "" || r.Flag("f").Current() {
		t.Errorf("current %t (-want +got):\n%s", r.Flag("f").Current(), diff)
	}
}

// TestEqualLabelsAreShared bounds what labels cost in an environment where many flags have the same ones.
func TestEqualLabelsAreShared(t *testing.T) {
	flag := func(key, labels string) document.Document {
		return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(`{"state":"ENABLED","variants":{"on":1},` + labels + `}`)}
	}
	r := apply(t, New(), flag("a", `"tags":["x","y"],"owner":"o"`), flag("b", `"owner":"o","tags":["x","y"]`), flag("c", `"tags":["xy"],"owner":"o"`),
		flag("d", `"tags":["x","y"],"owner":"o","expires":"2030-01-31"`))
	a, b, c, d := r.Flag("a"), r.Flag("b"), r.Flag("c"), r.Flag("d")
	if a.declared.labels != b.declared.labels {
		t.Error("equal labels are kept twice")
	}
	if slices.Equal(a.Tags(), c.Tags()) || a.Expires().Equal(d.Expires()) {
		t.Errorf("labels that differ are shared: %q %q, %v %v", a.Tags(), c.Tags(), a.Expires(), d.Expires())
	}
}
