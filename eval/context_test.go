package eval

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		{"{\"x\":\"\xff\"}", true},
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

func TestTimeDependent(t *testing.T) {
	now := `,"targeting":{"if":[{">":[{"var":"$flagd.timestamp"},5]},"on"]}`
	r := apply(t, New(),
		segmentDocument("later", `{">":[{"var":"$flagd.timestamp"},5]}`),
		flagDocument("clock", 1, now),
		flagDocument("segment", 1, `,"targeting":{"if":[{"$ref":"later"},"on"]}`),
		flagDocument("nested", 1, `,"targeting":{"if":[{"some":[[1],{"$ref":"later"}]},"on"]}`),
		flagDocument("whole", 1, `,"targeting":{"if":[{"var":""},"on"]}`),
		flagDocument("prerequisite", 1, prerequisites(prerequisite1("clock", "on"))),
		flagDocument("plain", 1, `,"targeting":{"if":[{"var":"$flagd.flagKey"},"on"]}`),
		Document{Kind: KindFlag, Key: "disabled", Body: []byte(`{"state":"DISABLED","variants":{"on":true}` + now + `}`)})
	for key, want := range map[string]bool{"clock": true, "segment": true, "nested": true, "whole": true, "prerequisite": true, "plain": false, "disabled": false} {
		if got := r.Flag(key).Evaluate(nil, testTime).TimeDependent; got != want {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
}

// FuzzDecodeContext compares decoding into slots with decoding into a whole value: the same texts are refused, and every attribute
// reads the same.
func FuzzDecodeContext(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":{"c":"x","d":[1,{"e":null}]}}`, `{"a":"\u00e9\n","b":[[1],2]}`, `{"a":1,"a":2}`, `{"b":{"c":1},"b":5}`, `{"a":1e400}`, `{"x":{"y":1e400}}`,
		`null`, ``, `[]`, `{} {}`, `{"$flagd":1,"b":{"d":[0,{"e":true}]}}`, "{\"a\":\"\xff\"}", `{"b":{"d":{"0":1}}}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	paths := [][]string{{"a"}, {"b"}, {"b", "c"}, {"b", "d"}, {"b", "d", "1", "e"}, {"b", "d", "0"}, {"c", "c"}}
	f.Fuzz(func(t *testing.T, data []byte, flagd bool) {
		slots, whole := New(), New()
		if flagd {
			slots = apply(t, slots, settingsDocument(`{"compatibility":"flagd"}`))
			whole = apply(t, whole, settingsDocument(`{"compatibility":"flagd"}`))
		}
		slots.attributes, whole.attributes = newAttributeTable(), newAttributeTable()
		whole.attributes.whole = true
		for _, path := range paths {
			slots.attributes.add(path)
		}
		var c, d Context
		errSlots, errWhole := slots.DecodeContext(&c, data), whole.DecodeContext(&d, data)
		if (errSlots == nil) != (errWhole == nil) {
			t.Fatalf("slots: %v, whole: %v", errSlots, errWhole)
		}
		for _, path := range paths {
			got, want := c.slot(slots.attributes.lookup(path)), walk(d.root, path)
			if !sameValue(got, want) {
				t.Errorf("%v: slot %s, whole %s", path, appendValue(nil, got), appendValue(nil, want))
			}
		}
	})
}

func sameValue(a, b value) bool {
	return a.kind == b.kind && string(appendValue(nil, a)) == string(appendValue(nil, b))
}
