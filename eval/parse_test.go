package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// testFiles returns the paths of the files that match a pattern below testdata.
func testFiles(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return names
}

func TestParseFileAccepts(t *testing.T) {
	for _, name := range testFiles(t, "files/accepted/*.json") {
		data := readTestdata(t, strings.TrimPrefix(name, "testdata/"))
		if _, problems := ParseFile(data, ""); problems.Err() != nil {
			t.Errorf("%s: %v", name, problems.Err())
		}
		if _, problems := ParseFile(data, CompatibilityFlagd); problems.Err() != nil && !strings.Contains(name, "every-operator") {
			t.Errorf("%s as flagd: %v", name, problems.Err())
		}
	}
}

func TestParseFileRefuses(t *testing.T) {
	for _, name := range testFiles(t, "files/refused/*.json") {
		data := readTestdata(t, strings.TrimPrefix(name, "testdata/"))
		_, problems := ParseFile(data, "")
		if problems.Err() == nil {
			t.Errorf("%s was accepted", name)
		}
		for _, p := range problems {
			if p.Line != 1 || p.Column < 1 || p.Reason == "" {
				t.Errorf("%s: %+v has no place or reason", name, p)
			}
		}
	}
}

// TestParseFileLoadsWhatFlagdLoads tells apart what flagd only warns of and what it refuses.
func TestParseFileLoadsWhatFlagdLoads(t *testing.T) {
	refused := map[string]bool{
		"default-unknown": true, "default-number": true, "flags-missing": true, "flags-number": true, "flag-number": true,
		"not-an-object": true, "not-json": true, "trailing": true, "evaluators-list": true, "number-large": true,
	}
	for _, name := range testFiles(t, "files/refused/*.json") {
		_, problems := ParseFile(readTestdata(t, strings.TrimPrefix(name, "testdata/")), CompatibilityFlagd)
		subject := strings.TrimSuffix(filepath.Base(name), ".json")
		if (problems.Err() != nil) != refused[subject] {
			t.Errorf("%s: got %v, want refused: %v", subject, problems.Err(), refused[subject])
		}
		if len(problems) == 0 {
			t.Errorf("%s: no warning", subject)
		}
	}
}

func TestParseFileReportsEveryMistakeWithItsPlace(t *testing.T) {
	_, problems := ParseFile(readTestdata(t, "files/five-mistakes.json"), "")
	var got []string
	for _, p := range problems {
		if p.Hint == "" || p.Warning || p.Kind != document.KindFlag || p.Key != "checkout" {
			t.Errorf("%+v", p)
		}
		got = append(got, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Pointer, p.Reason))
	}
	want := []string{
		`6:25 /defaultVariant the variant "of" does not exist`,
		`9:11 /targeting/if/0 the operator "equals" does not exist`,
		`10:34 /targeting/if/1/fractional/0/1 a weight must be a whole number, not 12.5`,
		`11:48 /targeting/if/2/if/0/sem_ver/1 sem_ver has no such operator`,
		`14:17 /colour the member "colour" is not known`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestParseFileReportsSyntaxErrorsWithTheirPlace(t *testing.T) {
	_, problems := ParseFile([]byte("{\n  \"flags\": {\n    \"a\": nope\n  }\n}"), "")
	if len(problems) != 1 || problems[0].Line != 3 || !strings.Contains(problems.Error(), "line 3, column") {
		t.Errorf("got %+v", problems)
	}
	_, problems = ParseFile([]byte(`{"flags":`), "")
	if len(problems) != 1 || problems[0].Line != 1 {
		t.Errorf("got %+v", problems)
	}
	_, problems = ParseFile([]byte(strings.Repeat("[", 10_000)), "")
	if len(problems) != 1 || !strings.Contains(problems[0].Reason, "deeper") {
		t.Errorf("got %+v", problems)
	}
}

func TestParseFileDocuments(t *testing.T) {
	documents, problems := ParseFile([]byte(`{
		"flags": {"b": {"state": "ENABLED", "variants": {"x": 1.50}}, "a": {"state": "ENABLED", "variants": {"x": "\u00e9"}}},
		"$evaluators": {"a": {"!": [{"$ref": "z"}]}, "z": {"==": [1, 1]}},
		"metadata": {"flagSetId": "s"}
	}`), "")
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	var got []string
	for _, d := range documents {
		got = append(got, fmt.Sprintf("%s %s %s", d.Kind, d.Key, d.Body))
	}
	want := []string{
		`settings environment {"metadata":{"flagSetId":"s"}}`,
		`segment z {"==":[1,1]}`,
		`segment a {"!":[{"$ref":"z"}]}`,
		`flag a {"state":"ENABLED","variants":{"x":"\u00e9"}}`,
		`flag b {"state":"ENABLED","variants":{"x":1.50}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestParseFileOfAList(t *testing.T) {
	documents, problems := ParseFile([]byte(`{"flags":[{"state":"ENABLED","key":"k","variants":{"x":1}}]}`), CompatibilityFlagd)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if len(documents) != 2 || string(documents[0].Body) != `{"compatibility":"flagd"}` || string(documents[1].Body) != `{"state":"ENABLED","variants":{"x":1}}` {
		t.Errorf("got %+v", documents)
	}
}

// TestSchemaExamples reads the examples of flagd's own schema, which are beside the module if it has been downloaded.
func TestSchemaExamples(t *testing.T) {
	root := filepath.Join(os.Getenv("GOMODCACHE"), "github.com/open-feature/flagd-schemas@v0.2.13/json/test")
	if os.Getenv("GOMODCACHE") == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Skip("there is no module cache to look for flagd's schema in")
		}
		root = filepath.Join(home, "go/pkg/mod/github.com/open-feature/flagd-schemas@v0.2.13/json/test")
	}
	positive, _ := filepath.Glob(filepath.Join(root, "fl*", "positive", "*.json"))
	negative, _ := filepath.Glob(filepath.Join(root, "fl*", "negative", "*.json"))
	if len(positive) == 0 {
		t.Skip("flagd's schema is not in the module cache")
	}
	for _, name := range positive {
		checkExample(t, name, true)
	}
	for _, name := range negative {
		// The list form is refused by the schema of providers only, not by that of the daemon.
		checkExample(t, name, strings.HasSuffix(name, "with-array-flags.json"))
	}
}

func checkExample(t *testing.T, name string, accepted bool) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := ParseFile(data, ""); (problems.Err() == nil) != accepted {
		t.Errorf("%s: %v, want accepted: %v", name, problems.Err(), accepted)
	}
	if _, problems := ParseFile(data, CompatibilityFlagd); accepted && problems.Err() != nil {
		t.Errorf("%s as flagd: %v", name, problems.Err())
	}
}

func FuzzParseFile(f *testing.F) {
	for _, pattern := range []string{"testdata/files/*.json", "testdata/files/*/*.json", "testdata/cases/*/flags.json"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, true)
			f.Add(data, false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, flagd bool) {
		c := Compatibility("")
		if flagd {
			c = CompatibilityFlagd
		}
		documents, problems := ParseFile(data, c)
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Reason == "" {
				t.Errorf("%+v has no place or reason", p)
			}
		}
		if problems.Err() != nil {
			return
		}
		r, problems := New().Update(documents)
		if err := problems.Err(); err != nil {
			t.Fatalf("a file that was accepted cannot be compiled: %v", err)
		}
		for _, flag := range r.Flags() {
			checkResult(t, flag.Evaluate(nil, testTime))
		}
	})
}

// checkResult checks what every result promises.
func checkResult(t testing.TB, r Result) {
	t.Helper()
	if r.Flag == nil || r.Metadata == nil || (r.ErrorCode != "") != (r.Reason == ReasonError) || r.ErrorCode != "" && (r.Detail == "" || r.Variant != nil) {
		t.Errorf("inconsistent result %+v", r)
	}
	if r.Variant != nil && !isJSON(r.Value()) || !isJSON(r.Metadata) {
		t.Errorf("value %s and metadata %s are not both JSON", r.Value(), r.Metadata)
	}
}

func isJSON(data []byte) bool {
	_, err := parseSyntax(data, true)
	return err == nil
}
