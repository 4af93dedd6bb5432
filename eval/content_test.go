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

func TestDependencies(t *testing.T) {
	segment := func(name, rule string) document.Document {
		return document.Document{Kind: document.KindSegment, Key: name, Body: []byte(rule)}
	}
	flag := func(key, more string) document.Document {
		return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(`{"state":"ENABLED","variants":{"on":1}` + more + `}`)}
	}
	r, problems := New().Update([]document.Document{
		segment("a", `{"==":[1,1]}`), segment("b", `{"!":[{"$ref":"a"}]}`), flag("p", ""),
		flag("f", `,"targeting":{"if":[{"$ref":"b"},"on"]},"prerequisites":[{"flag":"p","variants":["on"]}]`),
	})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	f := func(k document.Kind, key string, want ...document.Document) {
		t.Helper()
		if diff := cmp.Diff(want, r.Dependencies(k, key)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", k, key, diff)
		}
	}
	f(document.KindFlag, "f", document.Document{Kind: document.KindFlag, Key: "p"}, document.Document{Kind: document.KindSegment, Key: "a"}, document.Document{Kind: document.KindSegment, Key: "b"})
	f(document.KindSegment, "b", document.Document{Kind: document.KindSegment, Key: "a"})
	f(document.KindFlag, "p")
	f(document.KindFlag, "missing")
	r, _ = r.Update([]document.Document{flag("f", `,"targeting":{"if":[{"$ref":"gone"},"on"]}`)}) // cannot be compiled: both versions count
	f(document.KindFlag, "f", document.Document{Kind: document.KindFlag, Key: "p"}, document.Document{Kind: document.KindSegment, Key: "a"}, document.Document{Kind: document.KindSegment, Key: "b"}, document.Document{Kind: document.KindSegment, Key: "gone"})
}
