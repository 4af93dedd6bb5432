package handwritten_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
)

const commented = `# The flags of the shop.
$schema: https://example.org/s.json # for editors

flags:
  # Everyone knows this one.
  banner:
    state: ENABLED # never off
    variants: {on: true, off: false}
    defaultVariant: off   # until June

  # Going away.
  old:
    state: ENABLED
    variants:
      "on": true
  zebra: # the last
    description: |
      # not a comment
      two
    state: ENABLED
    variants: {"on": 1.50}
x-note: [1,
  2] # stays
`

func keepOwn(member string) bool { return member != "flags" && member != "metadata" }

// A file keeps the lines that are right, and gets those that are not.
func TestRewrite(t *testing.T) {
	t.Parallel()
	const now = `{"flags":{"banner":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","owner":"shop"},
		"new":{"state":"ENABLED","variants":{"on":true}},"zebra":{"variants":{"on":1.50},"state":"ENABLED","description":"# not a comment\ntwo\n"}}}`
	const want = `# The flags of the shop.
$schema: https://example.org/s.json # for editors

flags:
  # Everyone knows this one.
  banner:
    state: ENABLED # never off
    variants: {on: true, off: false}
    defaultVariant: "on"   # until June
    owner: "shop"
  new:
    state: "ENABLED"
    variants:
      "on": true
  zebra: # the last
    description: |
      # not a comment
      two
    state: ENABLED
    variants: {"on": 1.50}
x-note: [1,
  2] # stays
`
	got, ok := handwritten.Rewrite("f.yaml", []byte(commented), []byte(now), keepOwn)
	if diff := cmp.Diff(want, string(got)); !ok || diff != "" {
		t.Errorf("%t (-want +got):\n%s", ok, diff)
	}
	again, ok := handwritten.Rewrite("f.yaml", got, []byte(now), keepOwn)
	if !ok || !bytes.Equal(got, again) {
		t.Errorf("a second time it became\n%s", again)
	}
	asJSON, ok := handwritten.Rewrite("f.json", []byte(`{"x-a": 1, "flags": {}}`), []byte(`{"flags":{"a":1}}`), keepOwn)
	if want := "{\n  \"x-a\": 1,\n  \"flags\": {\n    \"a\": 1\n  }\n}\n"; !ok || string(asJSON) != want {
		t.Errorf("%t: JSON became\n%s", ok, asJSON)
	}
}

// A file whose lines end with CR and LF keeps them, and what is wrong in it is told with its line.
func TestRewriteKeepsLineEnds(t *testing.T) {
	t.Parallel()
	windows := func(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }
	const now = `{"flags":{"banner":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"},
		"zebra":{"variants":{"on":1.50},"state":"ENABLED","description":"# not a comment\ntwo\n"}}}`
	unix, ok := handwritten.Rewrite("f.yaml", []byte(commented), []byte(now), keepOwn)
	got, also := handwritten.Rewrite("f.yaml", windows(commented), []byte(now), keepOwn)
	if diff := cmp.Diff(string(windows(string(unix))), string(got)); !ok || !also || diff != "" {
		t.Errorf("%t, %t (-want +got):\n%s", ok, also, diff)
	}
	_, err := handwritten.Open("f.yaml", windows("# one\n# two\nflags:\n  # four\n  a: [\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "f.yaml:5:") {
		t.Errorf("the mistake of line 5 is %v", err)
	}
	text, err := handwritten.Open("f.yaml", windows("# one\n\n# three\nflags:\n  # five\n  a: {state: x}\n"))
	if err != nil {
		t.Fatal(err)
	}
	line, column := eval.Locate(text.JSON(), "/flags/a/state")
	if line, column = text.At(eval.Problem{Line: line, Column: column}); line != 6 || column != 14 {
		t.Errorf("the member of line 6 is at %d:%d", line, column)
	}
}

// Whatever a file says and is to say, either it says that afterwards or nothing is returned.
func TestRewriteSaysWhatItIsTo(t *testing.T) {
	t.Parallel()
	kept := 0
	for seed := range 500 {
		random := rand.New(rand.NewPCG(uint64(seed), 7)) // #nosec G404 -- a test
		before, after := randomObject(random, 0), randomObject(random, 0)
		name, content := "f.yaml", remarked(random, before)
		out, ok := handwritten.Rewrite(name, content, after, func(string) bool { return false })
		if !ok {
			continue
		}
		kept++
		text, err := handwritten.Read(name, out)
		if err != nil || !handwritten.Same(text.JSON(), after) {
			t.Fatalf("seed %d: %v\n%s\nbecame\n%s\nwanted is %s", seed, err, content, out, after)
		}
		again, _ := handwritten.Rewrite(name, out, after, func(string) bool { return false })
		if !bytes.Equal(out, again) {
			t.Fatalf("seed %d: a second time\n%s\nbecame\n%s", seed, out, again)
		}
	}
	if kept < 400 {
		t.Errorf("only %d of 500 files could be rewritten", kept)
	}
}

func randomObject(random *rand.Rand, depth int) []byte {
	object := map[string]any{}
	for i := range 1 + random.IntN(4) {
		key := fmt.Sprintf("k%d", (i*3+random.IntN(3))%8)
		switch random.IntN(5) {
		case 0, 1:
			if depth < 3 {
				object[key] = json.RawMessage(randomObject(random, depth+1))
				continue
			}
			fallthrough
		case 2:
			object[key] = []string{"off", "a # b", "- x", "", "multi\nline", "1e3", "x: y"}[random.IntN(7)]
		case 3:
			object[key] = random.IntN(3)
		default:
			object[key] = []any{random.IntN(2), "x", map[string]any{"y": true}}[:random.IntN(4)]
		}
	}
	out, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return out
}

// remarked returns JSON as YAML with comments here and there.
func remarked(random *rand.Rand, body []byte) []byte {
	text, err := handwritten.YAML(body)
	if err != nil {
		panic(err)
	}
	var out []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		if random.IntN(4) == 0 {
			out = append(out, line[:len(line)-len(strings.TrimLeft(line, " "))]+"# above")
		}
		if random.IntN(6) == 0 {
			out = append(out, "")
		}
		if random.IntN(4) == 0 {
			line += "  # beside"
		}
		out = append(out, line)
	}
	return []byte(strings.Join(out, "\n") + "\n")
}
