package eval

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

func TestDecodeContextRefuses(t *testing.T) {
	strict := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"var":"x.y"},"on"]}`))
	whole := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"var":""},"on"]}`))
	flagd := apply(t, strict, settingsDocument(`{"compatibility":"flagd"}`))
	tests := []struct {
		data    string
		lenient bool // whether flagd takes it
	}{
		{`{`, false},
		{`{"x":}`, false},
		{`{"x":NaN}`, false},
		{`{"x":01}`, false},
		{`{"x":{"y":1e999}}`, false},
		{`{"unused":1e999}`, false},
		{`{"unused":[{"a":-1e999}]}`, false},
		{`nope`, false},
		{`[1,2]`, true},
		{`"text"`, true},
		{`5`, true},
		{`{} x`, true},
		{`{}{}`, true},
		{`null x`, true},
		{`{"x":1,"x":2}`, true},
		{`{"unused":1,"unused":2}`, true},
		{`{"unused":{"a":1,"a":2}}`, true},
		{"{\"\xff\":1,\"\xfe\":2}", true},
		{`{"\ud800":1,"\udc00":2}`, true},
		{`{"unused":{"\ud83d!":1,"\ufffd!":2}}`, true},
		{`{"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, true},
		{`{"unused":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, true},
		{`{"x":{"y":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}}`, true},
	}
	for _, test := range tests {
		for name, r := range map[string]*Ruleset{"strict": strict, "whole": whole} {
			var c Context
			if err := r.DecodeContext(&c, []byte(test.data)); !errors.Is(err, ErrInvalidContext) {
				t.Errorf("%s, %s: got %v", name, test.data, err)
			}
			if got := r.Flag("a").Evaluate(&c, testTime); name == "strict" && got.Reason != ReasonDefault {
				t.Errorf("%s: after an error the context must be empty, got %s", test.data, got.Reason)
			}
		}
		var c Context
		if err := flagd.DecodeContext(&c, []byte(test.data)); (err == nil) != test.lenient {
			t.Errorf("flagd, %s: got %v", test.data, err)
		}
	}
}

func TestDecodeContextAccepts(t *testing.T) {
	deepest := `{"x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`
	for _, rule := range []string{`{"var":"x.y"}`, `{"var":""}`, `{"var":"unrelated"}`} {
		r := apply(t, New(), flagDocument("a", 1, `,"targeting":`+rule))
		for _, data := range []string{"", "  ", "null", " null ", "{}", " {} \n", `{"x":null}`, `{"$flagd":{"flagKey":1}}`, `{"x":"\"{[1e999"}`, `{"\u0078":{"y":1}}`, deepest} {
			var c Context
			if err := r.DecodeContext(&c, []byte(data)); err != nil {
				t.Errorf("%s: %v", data, err)
			}
		}
	}
}

func TestDecodedStringsSurviveTheirSource(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"and":[{"==":[{"var":"p"},"plain"]},{"==":[{"var":"e"},"esc\"aped"]}]},"on"]}`))
	data := []byte(`{"p":"plain","e":"esc\"aped","\u0070x":1}`)
	var c Context
	if err := r.DecodeContext(&c, data); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if got := r.Flag("a").Evaluate(&c, testTime); got.Reason != ReasonTargetingMatch {
		t.Errorf("got %s", got.Reason)
	}
}

// TestContextIsReusable decodes different contexts into one Context and expects no trace of the one before.
func TestContextIsReusable(t *testing.T) {
	r := apply(t, New(),
		flagDocument("a", 1, `,"targeting":{"if":[{"==":[{"var":"x.y"},1]},"on"]}`),
		flagDocument("b", 1, `,"targeting":{"if":[{"in":["r",{"var":"roles"}]},"on"]}`))
	var c Context
	for range 3 {
		for data, want := range map[string]string{
			`{"x":{"y":1}}`: "TARGETING_MATCH DEFAULT", `{"roles":["r"]}`: "DEFAULT TARGETING_MATCH", `{}`: "DEFAULT DEFAULT", ``: "DEFAULT DEFAULT",
		} {
			if err := r.DecodeContext(&c, []byte(data)); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %s", r.Flag("a").Evaluate(&c, testTime).Reason, r.Flag("b").Evaluate(&c, testTime).Reason)
			if got != want {
				t.Errorf("%s: got %s, want %s", data, got, want)
			}
		}
	}
	c.Reset()
	if got := r.Flag("a").Evaluate(&c, testTime).Reason; got != ReasonDefault {
		t.Errorf("after Reset: got %s", got)
	}
}

func TestLargeContextsAreNotKept(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"==":[{"var":"x"},1]},"on"]}`))
	var c Context
	for _, size := range []int{10, maxKept, 10} {
		data := fmt.Sprintf(`{"pad":%q,"x":1}`, strings.Repeat("x", size))
		if err := r.DecodeContext(&c, []byte(data)); err != nil {
			t.Fatal(err)
		}
		if got := r.Flag("a").Evaluate(&c, testTime).Reason; got != ReasonTargetingMatch {
			t.Errorf("%d: got %s", size, got)
		}
	}
	if cap(c.content) > maxKept {
		t.Errorf("%d bytes were kept", cap(c.content))
	}
}

func TestLastOfDuplicateNamesWins(t *testing.T) {
	r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`),
		flagDocument("a", 1, `,"targeting":{"if":[{"==":[{"var":"x.y"},1]},"on"]}`),
		flagDocument("b", 1, `,"targeting":{"if":[{"==":[{"var":"x.z.0"},3]},"on"]}`))
	tests := map[string]string{
		`{"x":{"y":2},"x":{"y":1}}`:           "TARGETING_MATCH DEFAULT",
		`{"x":{"y":1},"x":{}}`:                "DEFAULT DEFAULT",
		`{"x":{"y":1},"x":5}`:                 "DEFAULT DEFAULT",
		`{"x":{"y":2,"y":1}}`:                 "TARGETING_MATCH DEFAULT",
		`{"x":{"z":[1],"z":[3]}}`:             "DEFAULT TARGETING_MATCH",
		`{"x":[{"y":1}],"x":[{"y":2,"y":1}]}`: "DEFAULT DEFAULT",
	}
	for data, want := range tests {
		got := fmt.Sprintf("%s %s", evaluate(t, r, "a", []byte(data)).Reason, evaluate(t, r, "b", []byte(data)).Reason)
		if got != want {
			t.Errorf("%s: got %s, want %s", data, got, want)
		}
	}
}

func TestEmptyContextWorksEverywhere(t *testing.T) {
	for _, rule := range []string{`{"var":"x"}`, `{"map":[{"var":"x"},{"var":"y"}]}`, `{"fractional":[["on",1],["off",1]]}`, `{"missing":["a"]}`, `{"var":[{"cat":["a"]}]}`} {
		r := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"!!":[`+rule+`]},"on","off"]}`))
		nilContext := r.Flag("a").Evaluate(nil, testTime)
		zeroContext := r.Flag("a").Evaluate(new(Context), testTime)
		if diff := cmp.Diff(nilContext.Variant.Name(), zeroContext.Variant.Name()); diff != "" || nilContext.Reason != ReasonTargetingMatch {
			t.Errorf("%s: %s %s", rule, nilContext.Reason, diff)
		}
	}
}

// TestIllFormedTextIsReplaced decodes what JSON.stringify makes of a text that was cut in the middle of an emoji, and Latin-1.
func TestIllFormedTextIsReplaced(t *testing.T) {
	cut := func(attribute string) document.Document {
		return flagDocument("a", 1, `,"targeting":{"if":[{"==":[`+attribute+`,"cut \ufffd"]},"on"]}`)
	}
	for _, data := range []string{
		`{"x":"cut \ud83d"}`, `{"x":"cut \ude00"}`, "{\"x\":\"cut \xe9\"}", `{"unused":"\ud83d","x":"cut \udc00","\ud83d":1}`, "{\"unused\":{\"\xe9\":\"\xe9\"},\"x\":\"cut \xe9\"}",
	} {
		for _, attribute := range []string{`{"var":"x"}`, `{"var":[{"cat":["","x"]}]}`} {
			for _, r := range []*Ruleset{New(), apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`))} {
				r = apply(t, r, cut(attribute))
				var c Context
				if err := r.DecodeContext(&c, []byte(data)); err != nil {
					t.Errorf("%q: %v", data, err)
				}
				if got := r.Flag("a").Evaluate(&c, testTime); got.Reason != ReasonTargetingMatch {
					t.Errorf("%q, %s: got %s", data, attribute, got.Reason)
				}
			}
		}
	}
}
