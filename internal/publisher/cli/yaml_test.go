package cli

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestYAML(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		got, err := yaml([]byte(text))
		if difference := cmp.Diff(want, string(got)); err != nil || difference != "" {
			t.Errorf("%s: %v\n%s", text, err, difference)
		}
	}
	f(`1e3`, "1e3\n")
	f(`"no"`, "\"no\"\n")
	f(`{}`, "{}\n")
	f(`{"a":{},"b":[],"c":null}`, "a: {}\nb: []\nc: null\n")
	f(`{"b":1,"a":{"on":true,"x":["p",{"q":[1,[2,3]],"r":{"s":1}},[]]}}`,
		"b: 1\na:\n  \"on\": true\n  x:\n  - \"p\"\n  - q:\n    - 1\n    - - 2\n      - 3\n    r:\n      s: 1\n  - []\n")
	f(`[[1],{"a b":"c: d"}]`, "- - 1\n- \"a b\": \"c: d\"\n")
	f(`"line\nbreak \u0007 é"`, "\"line\\nbreak \\u0007 é\"\n")
}

// Whatever is JSON becomes text without panic, and what is not is refused.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, `[[[]]]`, `{`, `"\ud800"`, `{"":""}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := yaml([]byte(text))
		if err == nil && (len(got) == 0 || !strings.HasSuffix(string(got), "\n")) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestDifference(t *testing.T) {
	t.Parallel()
	f := func(before, after, want string) {
		t.Helper()
		got := difference(side{name: "a", text: before}, side{name: "b", text: after})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q to %q: %s", before, after, diff)
		}
	}
	f("x\n", "x\n", "")
	f("", "x\n", "--- a\n+++ b\n+ x\n")
	f("x\n", "", "--- a\n+++ b\n- x\n")
	f("1\n2\n3\n4\n5\n6\n7\n8\n9\nx\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\ny\n", "--- a\n+++ b\n...\n  7\n  8\n  9\n- x\n+ y\n")
	f("a\nb\nc\nd\n", "a\nc\nb\nd\n", "--- a\n+++ b\n  a\n- b\n  c\n+ b\n  d\n")
	f("a\x1b[2Jb\n", "c\n", "--- a\n+++ b\n- a\\u001b[2Jb\n+ c\n")
}

// The lines of a comparison without those that were added are the first text, without those that were taken the second.
func FuzzCompare(f *testing.F) {
	f.Add("a b c d", "b d e")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, before, after string) {
		a, b := strings.Fields(before), strings.Fields(after)
		var gotA, gotB []string
		for _, l := range compare(a, b) {
			if l.sign != '+' {
				gotA = append(gotA, l.text)
			}
			if l.sign != '-' {
				gotB = append(gotB, l.text)
			}
		}
		if !cmp.Equal(strings.Join(a, " "), strings.Join(gotA, " ")) || !cmp.Equal(strings.Join(b, " "), strings.Join(gotB, " ")) {
			t.Errorf("%q to %q: %q, %q", a, b, gotA, gotB)
		}
	})
}

// What a publisher answers cannot move the cursor of a terminal.
func TestCellsArePrintable(t *testing.T) {
	t.Parallel()
	f := func(value, want string) {
		t.Helper()
		if got := valueCell(jsontext.Value(value)); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	f(`"x\u001b[31m\ny\tz"`, "x\\u001b[31m y z")
	f("12", "12")
	f("1.50", "1.50")
	f(`["p", true, null]`, "p, true, -")
	f(`{ "b": ["\u009b"], "a": 1 }`, `{"b":["\u009b"],"a":1}`)
	f(`"2030-01-31T08:00:00.123+01:00"`, "2030-01-31T07:00:00Z")
	f("null", "-")
	f("", "-")
	if got := cell("x\x1b[31m\ny\tz"); got != "x\\u001b[31m y z" {
		t.Errorf("a text is %q", got)
	}
}
