package ofrep

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEnvelope(t *testing.T) {
	cases := []struct {
		body, want string
		refusal    string // part of the error; empty if the body is accepted
	}{
		{``, ``, ``},
		{" \r\n\t", ``, ``},
		{`{}`, ``, ``},
		{`{"context":null}`, `null`, ``},
		{`{"context":{}}`, `{}`, ``},
		{` { "other" : [1, {"a":2}], "context" : {"a": "b"} , "more":null } `, `{"a": "b"}`, ``},
		{`{"conte\u0078t":{"a":1}}`, `{"a":1}`, ``},
		{`{"Context":{"a":1}}`, ``, ``},
		{`[]`, ``, `not a JSON object`},
		{`null`, ``, `not a JSON object`},
		{`{"context":[]}`, ``, `/context`},
		{`{"context":true}`, ``, `/context`},
		{`{"context":{}} {}`, ``, `byte 14`},
		{`{"context":{"a":1,"a":2}}`, ``, `/context/a at byte 18`},
		{`{"context":{},"context":{}}`, ``, `byte 14`},
		{`{"other":{"a":1,"a":2}}`, ``, `/other/a`},
		{`{"context":{"a":}}`, ``, `/context/a at byte 16`},
		{`{"context":{"a":01}}`, ``, `byte 17`},
		{`{"context":{"a":1}`, ``, `ends before`},
		{`{"context`, ``, `ends before`},
		{`{"context":{"a":"` + "\xff" + `"}}`, `{"a":"` + "\xff" + `"}`, ``},
		{`{"context":{"a":"\ud83d"}}`, `{"a":"\ud83d"}`, ``},
		{`{"\ud83d":1,"context":{"\ud83d":2}}`, `{"\ud83d":2}`, ``},
		{`{"\ud83d":1,"\ufffd":1}`, ``, `duplicate`},
		{`}`, ``, `not a JSON object`},
	}
	var e envelope
	for _, c := range cases {
		got, err := e.context([]byte(c.body), false)
		switch {
		case c.refusal == "" && err != nil:
			t.Errorf("%q: %v", c.body, err)
		case c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)):
			t.Errorf("%q: error %v does not contain %q", c.body, err, c.refusal)
		case string(got) != c.want:
			t.Errorf("%q: context %q, want %q", c.body, got, c.want)
		}
	}
}

func TestLenientEnvelope(t *testing.T) {
	cases := []struct {
		body, want string
		fails      bool
	}{
		{`null`, ``, false},
		{`{"context":{"a":1}} more`, `{"a":1}`, false},
		{`{"context":{"a":1},"context":{"b":2}}`, `{"b":2}`, false},
		{`{"CONTEXT":{"a":1}}`, `{"a":1}`, false},
		{`{"context":{"a":1,"a":2}}`, `{"a":1,"a":2}`, false},
		{`{"context":"text"}`, `"text"`, false},
		{`[]`, ``, true},
		{`"text"`, ``, true},
		{`{"context":{}`, ``, true},
	}
	var e envelope
	for _, c := range cases {
		got, err := e.context([]byte(c.body), true)
		if (err != nil) != c.fails || string(got) != c.want {
			t.Errorf("%q: %q, %v; want %q", c.body, got, err, c.want)
		}
	}
}

// Whatever is accepted strictly is what encoding/json takes for the context, and leniency accepts no less.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"context":{"a":1}}`, `{"context":{"a":1,"a":2}}`, `{"Context":1}`, `{"context":null} x`, `{"context":{"a":"\ud800"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var e envelope
		context, err := e.context(body, false)
		if err != nil {
			return
		}
		if _, err := new(envelope).context(body, true); err != nil {
			t.Fatalf("strictly accepted, leniently refused: %v", err)
		}
		if len(strings.Trim(string(body), blanks)) == 0 {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("accepted, but encoding/json says %v", err)
		}
		if want := members["context"]; string(want) != string(context) {
			t.Fatalf("context %q, encoding/json says %q", context, want)
		}
	})
}

func FuzzRoute(f *testing.F) {
	for _, seed := range []string{"/", basePath, basePath + "/a%2Fb", "http://h" + basePath + "/x?y", "//", "*", basePath + "/%zz"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, target []byte) {
		r := parseRoute(target)
		if !r.known {
			return
		}
		if strings.Contains(string(r.key), "?") {
			t.Fatalf("the key %q reaches into the query", r.key)
		}
		if key, ok := appendUnescaped(nil, r.key); ok && len(key) > len(r.key) {
			t.Fatalf("the key grew from %q to %q", r.key, key)
		}
	})
}
