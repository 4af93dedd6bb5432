package ownership_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

// The owner stands in a document and is taken out of it again without a trace.
func TestMarksComeAndGo(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`:                            `{"$source":"a/b"}`,
		`{"x":1.50,"y":"\u00e9"}`:       `{"x":1.50,"y":"\u00e9","$source":"a/b"}`,
		`{"x":{"$source":"c"},"y":[1]}`: `{"x":{"$source":"c"},"y":[1],"$source":"a/b"}`,
		`{"in":["$source",["a"]]}`:      `{"in":["$source",["a"]],"$source":"a/b"}`,
		`[1,2]`:                         `[1,2]`,
		`true`:                          `true`,
	} {
		got := ownership.Marked([]byte(body), "a/b")
		if string(got) != want {
			t.Errorf("%s became %s, want %s", body, got, want)
		}
		if back := ownership.Unmarked(got); string(back) != body {
			t.Errorf("%s came back as %s", body, back)
		}
		if owner := ownership.Owner(got); body[0] == '{' && owner != "a/b" || body[0] != '{' && owner != "" {
			t.Errorf("%s is owned by %q", got, owner)
		}
		if other := ownership.Owner(ownership.Marked(got, "other")); body[0] == '{' && other != "other" {
			t.Errorf("the owner stays %q", other)
		}
	}
	for body, want := range map[string]string{
		`{"$source":"a"}`: `{}`, `{"$source":"a","x":1}`: `{"x":1}`, `{"x":1,"$source":"a","y":2}`: `{"x":1,"y":2}`, `{"$source":5}`: `{}`,
		`{"\u0024source":"a"}`: `{}`, `{"x":1,"$s\u006furce":"a"}`: `{"x":1}`, // spelt with escapes
	} {
		if got := ownership.Unmarked([]byte(body)); string(got) != want {
			t.Errorf("%s without its owner is %s, want %s", body, got, want)
		}
		if marked := ownership.Marked([]byte(body), "b"); strings.Count(string(marked), "ource") != 1 || ownership.Owner(marked) != "b" {
			t.Errorf("%s of another owner is %s", body, marked)
		}
	}
}

func TestNamesOfSources(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{"shop": true, "github.com/acme/flags@main": true, "": false, "a b": false, "\x1b": false, "é": false} {
		if err := ownership.ValidateName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
