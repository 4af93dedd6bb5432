package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
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

// Whatever is JSON becomes YAML that is read as the same JSON, and what is not is refused.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,{"b":null}]}`, `[[[]]]`, `{`, `"\ud800"`, `{"":""}`, `{"<<":{"a":1},"a\n":{"- ":[{"x":"y"}]},"yes":"no"}`, `[1e3,18700000000000000000,0.10]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := yaml([]byte(text))
		want := jsontext.Value(text)
		if !want.IsValid() {
			return // refused, unless the mistake is behind the first value
		}
		if err != nil || !strings.HasSuffix(string(got), "\n") {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
		if _, ok := eval.CheckJSON(want); !ok {
			return // documents are JSON that is less deep, and with smaller numbers
		}
		read, err := handwritten.Read("got.yaml", got)
		if err != nil {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
		again := jsontext.Value(read.JSON())
		if err := errors.Join(want.Canonicalize(), again.Canonicalize()); err != nil || !bytes.Equal(want, again) {
			t.Errorf("%q became %q, which is read as %s, %v", text, got, again, err)
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
	f("", "x\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n")
	f("x\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-x\n")
	f("1\n2\n3\n4\n5\n6\n7\n8\n9\nx\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\ny\n", "--- a\n+++ b\n@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-x\n+y\n")
	f("a\nb\nc\nd\n", "a\nc\nb\nd\n", "--- a\n+++ b\n@@ -1,4 +1,4 @@\n a\n+c\n b\n-c\n d\n")
	f("a\x1b[2Jb\n", "c\n", "--- a\n+++ b\n@@ -1 +1 @@\n-a\\u001b[2Jb\n+c\n")
}

// The first text with its difference from the second one is the second one.
func FuzzDifference(f *testing.F) {
	f.Add("a b c d", "b d e")
	f.Add("", "a")
	f.Add("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 x 18 19 20")
	f.Fuzz(func(t *testing.T, before, after string) {
		a, b := strings.Fields(visible(before)), strings.Fields(visible(after))
		text := difference(side{text: lines(a)}, side{text: lines(b)})
		if got := patched(t, a, text); !slices.Equal(got, b) {
			t.Errorf("%q to %q: %q, %q", a, b, text, got)
		}
	})
}

func lines(words []string) string {
	var text strings.Builder
	for _, word := range words {
		text.WriteString(word + "\n")
	}
	return text.String()
}

// patched applies a unified diff, whose context must be that of the lines.
func patched(t *testing.T, before []string, diff string) []string {
	t.Helper()
	var after []string
	at := 0
	for line := range strings.Lines(strings.TrimPrefix(diff, "--- \n+++ \n")) {
		sign, text := line[0], strings.TrimSuffix(line[1:], "\n")
		switch sign {
		case '@':
			var from int
			if _, err := fmt.Sscanf(line, "@@ -%d", &from); err != nil {
				t.Fatal(err)
			}
			from = max(from-1, 0)
			after = append(after, before[at:from]...)
			at = from
		case '+':
			after = append(after, text)
		default:
			if before[at] != text {
				t.Fatalf("%q has %q where the text has %q", diff, text, before[at])
			}
			if sign == ' ' {
				after = append(after, text)
			}
			at++
		}
	}
	return append(after, before[at:]...)
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
