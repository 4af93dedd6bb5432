package eval

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

func TestContent(t *testing.T) {
	f := func(c Compatibility, body string, want Content) {
		t.Helper()
		settings := document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)}
		r := New()
		if c != "" {
			r, _ = r.Update([]document.Document{settings})
		}
		r, problems := r.Update([]document.Document{{Kind: document.KindFlag, Key: "other", Body: []byte(`{"state":"ENABLED","variants":{"on":1}}`)}, {Kind: document.KindFlag, Key: "f", Body: []byte(body)}})
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.Flag("f").Content()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	variants := map[string][]byte{"on": []byte("1"), "off": []byte("0")}
	f("", `{"state":"ENABLED","variants":{"on":1,"off":0},"defaultVariant":"on","offVariant":"off","targeting":{"if": [true,"on"]},`+
		`"prerequisites":[{"flag":"other","variants":["on"]}],"salt":"s","tags":["a","b"],"owner":"team","kind":"ops"}`, Content{
		Enabled: true, Variants: variants, DefaultVariant: "on", OffVariant: "off", Targeting: []byte(`{"if": [true,"on"]}`),
		Prerequisites: []Prerequisite{{Flag: "other", Variants: []string{"on"}}}, Salt: "s",
		Labels: Labels{Tags: []string{"a", "b"}, Owner: "team", Kind: "ops"},
	})
	f("", `{"state":"DISABLED","variants":{"on":1,"off":0},"targeting":{}}`, Content{Variants: variants})
	f(CompatibilityFlagd, `{"STATE":"DISABLED","state":"ENABLED","Variants":{"on":1,"off":0},"Targeting":"on","salt":5,"Tags":["a"],"tags":["b"]}`, Content{
		Enabled: true, Variants: variants, Targeting: []byte(`"on"`), Labels: Labels{Tags: []string{"a", "b"}},
	})
	f(CompatibilityFlagd, `{"state":"ENABLED","variants":{"on":1,"off":0},"tags":["a",5],"owner":1}`, Content{
		Enabled: true, Variants: variants, Labels: Labels{Tags: []string{"a"}, Unreadable: true, Owner: "1"},
	})
	f(CompatibilityFlagd, `null`, Content{})
}
