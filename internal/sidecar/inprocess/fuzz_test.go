package inprocess_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/inprocess"
)

// FuzzTranslate translates flags with any rule, as a flag, as a prerequisite and as a segment. What is translated must be a definition
// that is accepted without anything of ours.
func FuzzTranslate(f *testing.F) {
	for _, rule := range []string{
		`{"if":[{"$ref":"s"},"on",null]}`,
		`{"fractional":[["on",1],["off",1]]}`,
		`{"fractional":[{"var":"x"},["on",1],["off",1]]}`,
		`{"if":[{"substr":[]},"on","off"]}`,
		`{"if":[{"cat":[]},"on",true,"off"]}`,
		`{"if":[{"in":[{"var":"$flagd.flagKey"},["a",1]]},"on",false]}`,
		`{"if":[]}`, `{"if":"on"}`, `"on"`, `null`, `{}`, `[]`, `1`, `{"var":[]}`, `{"filter":[{"var":"x"},{"fractional":[["on",1]]}]}`,
	} {
		f.Add(rule, false)
		f.Add(rule, true)
	}
	f.Fuzz(func(t *testing.T, rule string, lenient bool) {
		if !json.Valid([]byte(rule)) {
			return
		}
		flag := func(key, more string) document.Document {
			body := `{"state":"ENABLED","variants":{"on":1,"off":2},"defaultVariant":"off"` + more + `}`
			return document.Document{Kind: document.KindFlag, Key: key, Revision: 1, Body: []byte(body)}
		}
		documents := []document.Document{
			{Kind: document.KindSegment, Key: "s", Revision: 1, Body: []byte(rule)},
			flag("a", `,"targeting":`+rule),
			flag("b", `,"salt":"x","prerequisites":[{"flag":"a","variants":["on"]}],"targeting":`+rule),
			flag("c", `,"offVariant":"on","targeting":{"if":[{"$ref":"s"},"on"]}`),
		}
		if lenient {
			documents = append(documents, document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)})
		}
		rules, _ := eval.New().Update(documents)
		for _, flag := range rules.Flags() {
			definition, err := inprocess.Translate(rules, flag)
			if errors.Is(err, inprocess.ErrNotTranslatable) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			document := `{"flags":{"x":` + string(definition) + `}}`
			if _, problems := eval.ParseFile([]byte(document), eval.CompatibilityFlagd); problems.Err() != nil {
				t.Errorf("%v: %s", problems.Err(), document)
			}
		}
	})
}
