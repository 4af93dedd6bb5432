package handwritten_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
)

func TestYAMLIsReadAsJSON(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"a: 1\nb: x\n": `{"a":1,"b":"x"}`,
		"# only one\n---\na: [1, 2.50, .5, 0x10]\n":                `{"a":[1,2.50,0.5,16]}`,
		"a: 1e3\nb: [0e0, 18700000000000000000, '1e3', !!str 1e3]": `{"a":1e3,"b":[0e0,18700000000000000000,"1e3","1e3"]}`,
		"on: true\noff: no\n? y\n: ~\n":                            `{"on":true,"off":"no","y":null}`,
		"a: 9007199254740993\nb: 2030-01-31\n":                     `{"a":9007199254740993,"b":"2030-01-31"}`,
		"a: |\n  two\n  lines\nb: !!str 5\n":                       `{"a":"two\nlines\n","b":"5"}`,
		"a: &x {n: 1}\nb: *x\nc:\n- *x\n":                          `{"a":{"n":1},"b":{"n":1},"c":[{"n":1}]}`,
		"a: &x {n: 1, m: 2}\nb: {<<: *x, n: 3}\n":                  `{"a":{"n":1,"m":2},"b":{"n":3,"m":2}}`,
		"a: &x {n: 1}\nb: &y {n: 2, m: 3}\nc:\n  <<: [*x, *y]\n":   `{"a":{"n":1},"b":{"n":2,"m":3},"c":{"n":1,"m":3}}`,
		"\"quoted \\u00e9\": 'it''s'\n":                            `{"quoted é":"it's"}`,
		`{"flags": {"a": {"x": [1, "b"]}}}`:                        `{"flags":{"a":{"x":[1,"b"]}}}`,
		"1: one\ntrue: two\n":                                      `{"1":"one","true":"two"}`,
		"a:\nb: []\nc: {}\n":                                       `{"a":null,"b":[],"c":{}}`,
	} {
		text, err := handwritten.Read("flags.yaml", []byte(yaml))
		if err != nil {
			t.Errorf("%q: %v", yaml, err)
			continue
		}
		if got := string(text.JSON()); got != want {
			t.Errorf("%q is %s, want %s", yaml, got, want)
		}
	}
}

func TestWhatIsNeitherIsToldWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, content, want string }{
		{"f.json", "{\"a\":\n 1,}", "f.json:2:3: this is not JSON"},
		{"f.json", "a: 1", "f.json:1:1: this is not JSON"},
		{"f.json", "\xef\xbb\xbf{}", "f.json:1:1: the file begins with a byte order mark (save it as UTF-8 without BOM)"},
		{"f.yaml", "\xef\xbb\xbfa: 1", "f.yaml:1:1: the file begins with a byte order mark"},
		{"f.json", "\xff\xfe{\x00", "f.json:1:1: the file is UTF-16 (save it as UTF-8 without BOM)"},
		{"-", "\xff\xfe{\x00", "-:1:1: the file is UTF-16"},
		{"f.json", "{\"a\":\n\"\xe9\"}", "f.json:2:2: this character is not UTF-8"},
		{"f.yaml", "a:\n  b\xe9: 1", "f.yaml:2:4: this character is not UTF-8"},
		{"f.json", `{"a":"\ud83d"}`, "f.json:1:7: this is not JSON"},
		{"f.yaml", "a: 1\nb: [1\n", "f.yaml:2:4: this is not YAML"},
		{"f.yml", "a: 1\na: 2\n", "f.yml:2:1: this is not YAML"},
		{"f.yaml", "", "f.yaml:1:1: the file is empty"},
		{"f.yaml", "a: 1\n---\nb: 2\n", "f.yaml:3:1: the file has more than one YAML document"},
		{"f.yaml", "a: .inf\n", "f.yaml:1:4: JSON has nothing like this"},
		{"f.yaml", "a: *x\n", "f.yaml:1:4: no anchor &x comes before this alias"},
		{"f.yaml", "a: !!binary aGk=\n", "f.yaml:1:4: JSON has nothing like the YAML tag !!binary"},
		{"f.yaml", "a: &x\n  b: *x\n", "nested deeper than 256 levels"},
		{"f.yaml", "a: {<<: 5}\n", "f.yaml:1:9: << takes an alias of an object"},
		{"f.yaml", "a: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), "nested deeper than 256 levels"},
		{"f.yaml", bomb(), "once its aliases are written out"},
	} {
		text, err := handwritten.Read(test.name, []byte(test.content))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %.60q: %v, %v; want %s", test.name, test.content, text, err, test.want)
		}
	}
}

// bomb is a short document whose aliases stand for a very long one.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		from, to := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("a" + to + ": &a" + to + " [" + strings.TrimSuffix(strings.Repeat("*a"+from+", ", 10), ", ") + "]\n")
	}
	return b.String()
}

// What is wrong in the documents of a file is told where people wrote it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const yaml = `# flags
flags:
  greeting:
    state: ENABLED
    variants: {on: true}
    defaultVariant: off
  other: &o
    state: ENABLED
    variants:
      "on": true
    defaultVariant: on
`
	text, err := handwritten.Read("flags.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	_, problems := eval.ParseFile(text.JSON(), "")
	if len(problems) != 1 {
		t.Fatalf("%v in %s", problems, text.JSON())
	}
	if got := text.Problem(problems[0]).Error(); !strings.HasPrefix(got, `flags.yaml:6:21: flag "greeting" at /defaultVariant: `) {
		t.Error(got)
	}
	for pointer, want := range map[string]string{
		"/flags/other/variants/on": "flags.yaml:10:13", "/flags/other/state": "flags.yaml:8:12", "/flags/none": "flags.yaml:3:3", "": "flags.yaml:2:1",
	} {
		if got := text.Place(pointer); got != want {
			t.Errorf("%s is at %s, want %s", pointer, got, want)
		}
	}
	json, err := handwritten.Read("flag.json", []byte("{\"a\":\n {\"b\": 1}}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := json.Place("/a/b"); got != "flag.json:2:8" {
		t.Error(got)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"a: 1", "a: &x [*x]", "{\"a\": 1}", bomb(), "a: !!str x\n<<: *y", "? [a]\n: b", "- |\n  x\n- >-\n  y", "%YAML 1.2\n---\na"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		text, err := handwritten.Read("f.yaml", content)
		if err != nil {
			return
		}
		if problem, ok := eval.CheckJSON(text.JSON()); !ok {
			t.Errorf("%q became %q: %v", content, text.JSON(), problem)
		}
		text.Place("/a/b")
	})
}
