package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		env  string
		file string
		want map[string]string
	}{
		"nothing":                   {},
		"repeated":                  {args: []string{"--pairs", "a=1", "-P", "b=2"}, want: map[string]string{"a": "1", "b": "2"}},
		"a value with commas":       {args: []string{"--pairs", "a=1,2, 3"}, want: map[string]string{"a": "1,2, 3"}},
		"a list":                    {args: []string{"--pairs", "a=1, b=2"}, want: map[string]string{"a": "1", "b": "2"}},
		"a list with quotes":        {args: []string{"--pairs", `"a=1,2",b=2`}, want: map[string]string{"a": "1,2", "b": "2"}},
		"quotes that are in vain":   {args: []string{"--pairs", `"a=1"`}, want: map[string]string{"a": "1"}},
		"a value with equals signs": {args: []string{"--pairs", "a=b=c"}, want: map[string]string{"a": "b=c"}},
		"an empty value":            {args: []string{"--pairs", "a="}, want: map[string]string{"a": ""}},
		"an object":                 {args: []string{"--pairs", `{"a": "b=c,d=e"}`}, want: map[string]string{"a": "b=c,d=e"}},
		"environment":               {env: "a=1,b=2", want: map[string]string{"a": "1", "b": "2"}},
		"an object there":           {env: `{"a": "1,2", "b": "\""}`, want: map[string]string{"a": "1,2", "b": `"`}},
		"file":                      {file: `{"pairs": {"a": "b=c,d=e", "b": "\"x\""}}`, want: map[string]string{"a": "b=c,d=e", "b": `"x"`}},
		"an empty object":           {file: `{"pairs": {}}`, want: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got map[string]string
			set := NewSet("tool", "Does.")
			set.Map(&got, "pairs", "some pairs").Short("P")
			args := c.args
			if c.file != "" {
				args = append(args, "--config", write(t, "c.json", c.file))
			}
			if _, err := set.Parse(args, env(map[string]string{"FLAGSIDE_PAIRS": c.env})); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}

			var again map[string]string
			second := NewSet("tool", "Does.")
			second.Map(&again, "pairs", "some pairs")
			if _, err := second.Parse([]string{"--config", write(t, "printed.json", set.Print())}, env(nil)); err != nil {
				t.Fatalf("%v in\n%s", err, set.Print())
			}
			if diff := cmp.Diff(len(got), len(again)); diff != "" || len(got) > 0 && !cmp.Equal(got, again) {
				t.Errorf("printed and read again: %v, was %v", again, got)
			}
		})
	}
}

func TestMapErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--pairs", "a"}, `flag --pairs: "a" is not of the form name=value`},
		{[]string{"--pairs", "=1"}, `flag --pairs: "=1" is not of the form name=value`},
		{[]string{"--pairs", "a=1,b"}, ""},
		{[]string{"--pairs", "a=1,b,c=2"}, `flag --pairs: "b" is not of the form name=value`},
		{[]string{"--pairs", "a=1,a=2"}, `flag --pairs: "a" is given twice: leave one out`},
		{[]string{"--pairs", "a=1", "--pairs", "a=2"}, `flag --pairs: "a" is given twice: leave one out`},
		{[]string{"--pairs", `a=1,"b=2`}, `flag --pairs: "a=1,\"b=2" is no list of name=value separated by commas: `},
		{[]string{"--pairs", "a=1\nb=2\n"}, `flag --pairs: "a=1\nb=2" has several lines: separate name=value by commas`},
		{[]string{"--pairs", "a=1,b=2\n\"c=3"}, `flag --pairs: "a=1,b=2\n\"c=3" has several lines`},
		{[]string{"--pairs", `{"a":null}`}, `flag --pairs: "{\"a\":null}" is no JSON object of strings: "a" is null`},
		{[]string{"--pairs", `{"a":1}`}, `flag --pairs: "{\"a\":1}" is no JSON object of strings: `},
		{[]string{"--pairs", `{"a":"1","a":"2"}`}, `flag --pairs: "{\"a\":\"1\",\"a\":\"2\"}" is no JSON object of strings: `},
		{[]string{"--config", write(t, "c.json", `{"pairs": "a=1"}`)}, `c.json:1:11: option "pairs" must be an object of strings`},
		{[]string{"--config", write(t, "c.json", `{"pairs": {"a": 1}}`)}, `c.json:1:17: option "pairs" must be an object of strings`},
		{[]string{"--config", write(t, "c.json", `{"pairs": {"a": "1", "a": "2"}}`)}, `c.json:1:22: duplicate object member name`},
	} {
		var got map[string]string
		set := NewSet("tool", "Does.")
		set.Map(&got, "pairs", "some pairs")
		_, err := set.Parse(c.args, env(nil))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.args, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: got %v, want %s", c.args, err, c.want)
		}
	}
}

// Whatever text stands in an object comes back as it is, and no text at all is fatal.
func FuzzPairs(f *testing.F) {
	for _, text := range []string{"a=1", "a=1,b=2", `"a=1,2",b=3`, `{"a":"b=c"}`, "=", `"`, "{", "a=\n,b="} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if pairs, err := pairsOf(name); err != nil && pairs != nil {
			t.Errorf("%q: both %v and %v", name, pairs, err)
		}
		want := map[string]string{strings.ToValidUTF8(name, "x"): strings.ToValidUTF8(value, "x")}
		object, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pairsOf(string(object))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", object, diff)
		}
	})
}
