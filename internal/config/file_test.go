package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kindsOfAll has an option of each kind.
func kindsOfAll() map[string]fileKind {
	return map[string]fileKind{"text": fileString, "number": fileNumber, "on": fileBool, "list": fileList}
}

func TestDecodeFile(t *testing.T) {
	t.Parallel()
	const content = "{\n  \"text\": \"a \\u00e9\",\n  \"number\": -12, \"on\": false,\n\t\"list\": [\"x\",\n \"y\"]\n}\n"
	got, err := decodeFile("c.json", []byte(content), kindsOfAll())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fileEntry{
		"text":   {[]string{"a é"}, "c.json:2:3"},
		"number": {[]string{"-12"}, "c.json:3:3"},
		"on":     {[]string{"false"}, "c.json:3:18"},
		"list":   {[]string{"x", "y"}, "c.json:4:2"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fileEntry{})); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestDecodeFileErrors(t *testing.T) {
	t.Parallel()
	f := func(content, want string) {
		t.Helper()
		_, err := decodeFile("c.json", []byte(content), kindsOfAll())
		if got := fmt.Sprint(err); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got error\n%s\nwant prefix\n%s", content, got, want)
		}
	}
	f("", "c.json:1:1: unexpected EOF")
	f("  \n", "c.json:2:1: unexpected EOF")
	f("[]", "c.json:1:1: the file must be one JSON object with options by name")
	f("{} {}", "c.json:1:3: the file must be one JSON object and nothing else")
	f("{}x", "c.json:1:3: the file must be one JSON object and nothing else")
	f("{\n  \"txet\": 1}", `c.json:2:3: unknown option "txet"`)
	f("{\"config\": \"d.json\"}", `c.json:1:2: unknown option "config"`)
	f("{\"text\": 1}", `c.json:1:10: option "text" must be a string`)
	f("{\"text\": null}", `c.json:1:10: option "text" must be a string`)
	f("{\"number\": \"1\"}", `c.json:1:12: option "number" must be a number`)
	f("{\"on\": \"true\"}", `c.json:1:8: option "on" must be true or false`)
	f("{\"list\": \"a\"}", `c.json:1:10: option "list" must be an array of strings`)
	f("{\"list\": [\"a\", 1]}", `c.json:1:16: option "list" must be an array of strings`)
	f("{\"list\": [[]]}", `c.json:1:11: option "list" must be an array of strings`)
	f("{\"text\": \"a\",\n \"text\": \"b\"}", "c.json:2:2: duplicate object member name")
	f("{\"text\": \"a\",}", "c.json:1:")
	f("{\"text\": \"a\" \"on\": true}", "c.json:1:")
	f("{\"text\": \"\xff\"}", "c.json:1:")
	f("{\"text\": \"a\"", "c.json:1:13: unexpected EOF")
	f("{\"list\": [\"a\"", "c.json:1:14: unexpected EOF")
}

func TestParseNamesThePlaceInTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "config.json", "{\n  \"wait\": \"soon\"\n}")
	var o settings
	_, err := newSet(&o).Parse([]string{"--config", path}, env(nil))
	want := path + `:2:3: "soon" is not a duration such as 500ms, 2s or 1h30m`
	if fmt.Sprint(err) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestParseRefusesALargeFile(t *testing.T) {
	t.Parallel()
	path := write(t, "config.json", "{}"+strings.Repeat(" ", maxFileBytes))
	var o settings
	_, err := newSet(&o).Parse([]string{"--config", path}, env(nil))
	want := fmt.Sprintf("configuration file %s is larger than %d bytes", path, maxFileBytes)
	if fmt.Sprint(err) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// FuzzDecodeFile holds the decoder to its promises: it does not panic, every mistake has a place inside the file, and what it accepts
// names known options only.
func FuzzDecodeFile(f *testing.F) {
	f.Add([]byte(`{"text": "a", "number": 1, "on": true, "list": ["x", "y"]}`))
	f.Add([]byte("{\n\t\"list\": []\r\n}"))
	f.Add([]byte(`{"text": "a", "text": "b"}`))
	f.Add([]byte(`{"number": 1e400, "unknown": {"deep": [[[]]]}}`))
	f.Add([]byte(`{"text": "\ud800"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := decodeFile("c", content, kindsOfAll())
		if err != nil {
			checkPlace(t, err.Error(), content)
			return
		}
		for name, entry := range entries {
			kind, known := kindsOfAll()[name]
			if !known {
				t.Errorf("unknown option %q was accepted", name)
			}
			if kind != fileList && len(entry.texts) != 1 {
				t.Errorf("option %q has %d values", name, len(entry.texts))
			}
			checkPlace(t, entry.place, content)
		}
	})
}

// checkPlace fails the test unless text begins with a place that exists in content, or just behind its end.
func checkPlace(t *testing.T, text string, content []byte) {
	t.Helper()
	var line, column int
	if _, err := fmt.Sscanf(text, "c:%d:%d", &line, &column); err != nil {
		t.Fatalf("no place in %q: %v", text, err)
	}
	lines := strings.Split(string(content), "\n")
	if line < 1 || line > len(lines) || column < 1 || column > len(lines[line-1])+1 {
		t.Errorf("%q is not a place in %q", text, content)
	}
}
