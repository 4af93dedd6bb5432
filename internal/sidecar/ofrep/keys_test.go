package ofrep_test

import (
	"encoding/json"
	"testing"
)

// The key of a flag is whatever stands behind the slash: one segment or several, escaped or not.
func TestKeyEscaping(t *testing.T) {
	cases := []struct{ segment, key string }{
		{"plain", "plain"},
		{"a/b", "a/b"},
		{"a%2Fb", "a/b"},
		{"a%2fb", "a/b"},
		{"/a", "/a"},
		{"a//b/", "a//b/"},
		{"..", ".."},
		{"../on", "../on"},
		{"./on", "./on"},
		{"%2E%2E", ".."},
		{"a+b", "a+b"},
		{"a%2Bb", "a+b"},
		{"a%20b", "a b"},
		{"100%25", "100%"},
		{"%2525", "%25"},
		{"x%3Fy%23z", "x?y#z"},
		{"a:b", "a:b"},
		{"x?flag=1", "x"},
		{"%C3%BCn%C3%AF", "ünï"},
		{"ünï", "ünï"},
		{"quote%22back%5C", `quote"back\`},
		{"nul%00", "nul\x00"},
	}
	flag := map[string]any{"state": "ENABLED", "variants": map[string]any{"on": true}, "defaultVariant": "on"}
	keys := make(map[string]any)
	for _, c := range cases {
		keys[c.key] = flag
	}
	file, err := json.Marshal(map[string]any{"flags": keys})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, load(t, string(file), ""), nil)
	for _, c := range cases {
		got := s.do("POST", single+c.segment, `{}`)
		if got.status != 200 || got.body["key"] != c.key {
			t.Errorf("segment %q: status %d, body %v; want key %q", c.segment, got.status, got.body, c.key)
		}
	}
}

// A client whose base address ends with a slash sends two at the beginning.
func TestBaseAddressWithASlash(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	for target, key := range map[string]string{"/" + single + "on": "on", "http://localhost/" + single + "on": "on", "/" + bulk + "//on": "/on", "/" + bulk: ""} {
		got := s.do("POST", target, `{}`)
		if got.status == 404 && got.body["key"] == nil || key != "" && got.body["key"] != key {
			t.Errorf("%s: %d, %v", target, got.status, got.body)
		}
	}
}

func TestAbsoluteTarget(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	if got := s.do("POST", "http://localhost:8016"+single+"on", `{}`); got.status != 200 || got.body["key"] != "on" {
		t.Errorf("status %d, body %v", got.status, got.body)
	}
}

func TestBrokenKeys(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	for segment, status := range map[string]int{"%zz": 400, "on%": 400, "on%2": 400, "%FF": 404} {
		got := s.do("POST", single+segment, `{}`)
		if got.status != status || got.body["key"] == "" {
			t.Errorf("segment %q: status %d, body %v; want %d", segment, got.status, got.body, status)
		}
	}
}
