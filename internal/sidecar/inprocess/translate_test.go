package inprocess_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/inprocess"
)

// documents returns flags by key and body, a segment called staff among them.
func documents(flags map[string]string) []document.Document {
	all := []document.Document{{Kind: document.KindSegment, Key: "staff", Revision: 1, Body: []byte(`{"ends_with":[{"var":"email"},"@shop.example"]}`)}}
	for key, members := range flags {
		body := `{"state":"ENABLED","variants":{"on":1,"off":2},"defaultVariant":"off"` + members + `}`
		all = append(all, document.Document{Kind: document.KindFlag, Key: key, Revision: 1, Body: []byte(body)})
	}
	return all
}

// rulesOf compiles documents.
func rulesOf(t *testing.T, documents []document.Document) *eval.Ruleset {
	t.Helper()
	rules, problems := eval.New().Update(documents)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return rules
}

// variant returns the variant that a flag answers, empty if there is none.
func variant(t *testing.T, rules *eval.Ruleset, key, context string) string {
	t.Helper()
	var c eval.Context
	if err := rules.DecodeContext(&c, []byte(context)); err != nil {
		t.Fatal(err)
	}
	result := rules.Flag(key).Evaluate(&c, time.Now())
	if result.Variant == nil {
		return ""
	}
	return result.Variant.Name()
}

// What is translated is answered, without segments, salts and prerequisites, as before.
func TestTranslationsAnswerTheSame(t *testing.T) {
	rules := rulesOf(t, documents(map[string]string{
		"plain":   ``,
		"segment": `,"targeting":{"if":[{"$ref":"staff"},"on","off"]}`,
		"split":   `,"targeting":{"fractional":[["on",50],["off",50]]}`,
		"salted":  `,"salt":"another","targeting":{"fractional":[["on",50],["off",50]]}`,
		"needs":   `,"prerequisites":[{"flag":"segment","variants":["on"]}],"offVariant":"off","targeting":{"if":[true,"on"]}`,
		"chain":   `,"prerequisites":[{"flag":"needs","variants":["on"]},{"flag":"salted","variants":["on"]}],"targeting":{"if":[true,"on"]}`,
	}))
	for _, flag := range rules.Flags() {
		definition, err := inprocess.Translate(rules, flag)
		if err != nil {
			t.Fatal(err)
		}
		for _, ours := range []string{"$ref", "salt", "prerequisites", "offVariant"} {
			if strings.Contains(string(definition), ours) {
				t.Errorf("%s has %s: %s", flag.Key(), ours, definition)
			}
		}
		alone := rulesOf(t, []document.Document{{Kind: document.KindFlag, Key: flag.Key(), Revision: 1, Body: definition}})
		answers := make(map[string]int)
		for i := range 100 {
			context := fmt.Sprintf(`{"targetingKey":"user-%d","email":"%d@shop.example"}`, i, i)
			if i%2 == 1 {
				context = fmt.Sprintf(`{"targetingKey":"user-%d"}`, i)
			}
			want := variant(t, rules, flag.Key(), context)
			if got := variant(t, alone, flag.Key(), context); got != want {
				t.Errorf("%s with %s: %s, want %s\n%s", flag.Key(), context, got, want, definition)
			}
			answers[want]++
		}
		if flag.Key() != "plain" && len(answers) != 2 {
			t.Errorf("%s answers %v only, which shows little", flag.Key(), answers)
		}
	}
}

// What a provider could not answer as the sidecar does is left out, and why is said.
func TestRefusals(t *testing.T) {
	const needsOther = `,"prerequisites":[{"flag":"other","variants":["on"]}]`
	for name, c := range map[string]struct{ flag, other, reason string }{
		"a computed result of a prerequisite": {needsOther, `,"targeting":{"var":"variant"}`, "is computed"},
		"a condition that may fail":           {needsOther, `,"targeting":{"if":[{"+":[{"var":"n"},1]},"on","off"]}`, "which may fail"},
		"a distribution inside an iteration, salted": {
			`,"salt":"x","targeting":{"if":[{"some":[[1],{"fractional":[["on",1],["off",1]]}]},"on","off"]}`, ``, "distribution inside",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := rulesOf(t, documents(map[string]string{"flag": c.flag, "other": c.other}))
			definition, err := inprocess.Translate(rules, rules.Flag("flag"))
			if !errors.Is(err, inprocess.ErrNotTranslatable) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s, %v; want %s", definition, err, c.reason)
			}
		})
	}
}

func TestUnenforced(t *testing.T) {
	for members, want := range map[string]bool{
		``: false, `,"freshness":"cache_first"`: false, `,"freshness":"always_fresh"`: true, `,"freshness":"background_refresh"`: true, `,"maxStaleness":"5s"`: true,
	} {
		rules := rulesOf(t, documents(map[string]string{"flag": members}))
		if got := inprocess.Unenforced(rules.Flag("flag")); got != want {
			t.Errorf("%q: %v", members, got)
		}
	}
}

// A flag whose newest document cannot be used goes on as it was, unless no version could ever be used or it depends on others.
func TestUnusableDocuments(t *testing.T) {
	const broken, segment = `{"state":"ON","variants":{"on":1},"defaultVariant":"on"}`, `,"targeting":{"if":[{"$ref":"staff"},"on","off"]}`
	flag := func(body string) document.Document {
		return document.Document{Kind: document.KindFlag, Key: "flag", Revision: 2, Body: []byte(body)}
	}
	for name, c := range map[string]struct {
		before []document.Document
		reason string // empty: it is translated
	}{
		"no version": {nil, "no version of its document can be used"},
		"a default":  {documents(map[string]string{"flag": ""}), ""},
		"no default": {[]document.Document{flag(`{"state":"ENABLED","variants":{"on":1}}`)}, ""},
		"a segment":  {documents(map[string]string{"flag": segment}), "may be another by now"},
	} {
		t.Run(name, func(t *testing.T) {
			rules, problems := rulesOf(t, c.before).Update([]document.Document{flag(broken)})
			definition, err := inprocess.Translate(rules, rules.Flag("flag"))
			switch {
			case problems.Err() == nil:
				t.Fatal("the document can be used")
			case c.reason == "" && err != nil, c.reason != "" && (err == nil || !strings.Contains(err.Error(), c.reason)):
				t.Errorf("%s, %v; want %q", definition, err, c.reason)
			}
		})
	}
}
