package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// Files are checked without a publisher, each mistake with its place, in what people and code hosts read.
func TestValidate(t *testing.T) {
	t.Parallel()
	a := applier{t, "http://127.0.0.1:1"} // where no publisher is
	good := files(t, map[string]string{
		"a.json": `{"$schema":"x","flags":{"banner":` + banner + `,"$comment":"x"}}}`, "b.yml": "$evaluators: {}\nflags:\n  other: " + banner + "}\n",
	})
	contains(t, a.as("", 0, "validate "+good), "2 flags in 2 files: good")
	contains(t, a.as("", 0, "validate ../../../examples/flags.json"), "1 file: good")

	bad := files(t, map[string]string{
		"a.json": "{\"flags\":{\n\"é\": " + banner + `,"expires":"soon"}}}`,
		"b.yaml": "flags:\n  x:\n    state: ENABLED\n    variants: {on: true}\n    targeting: {$ref: staff}\n",
	})
	contains(t, a.as("", 9, "validate "+bad), `a.json:2:94: flag "é" at /expires: expires must be`, "b.yaml:5:16: flag \"x\" at /targeting", "error: 2 mistakes in ")
	var found struct {
		Mistakes int
		Findings []struct {
			File, Level, Pointer string
			Line, Column         int
		}
	}
	decode(t, a.as("", 9, "validate "+bad+" --format json"), &found)
	if f := found.Findings; found.Mistakes != 2 || len(f) != 2 || f[1].Line != 5 || f[1].Column != 16 || f[1].Level != "error" || f[0].Pointer != "/expires" {
		t.Errorf("as JSON: %+v", found)
	}
	with := filepath.Join(files(t, map[string]string{"e.json": `{"$evaluators":{"staff":{"if":[true,"on"]}},"flags":{}}`}), "e.json")
	if output := a.as("", 9, "validate "+bad+" --with "+with); strings.Contains(output, "b.yaml") {
		t.Errorf("what another file defines is missing: %s", output)
	}
	var log struct {
		Version string
		Runs    []struct {
			ColumnKind string
			Results    []struct {
				RuleID, Level string
				Message       struct{ Text string }
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	decode(t, a.as("", 9, "validate "+bad+" --format sarif"), &log)
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 2 {
		t.Fatalf("as SARIF: %+v", log)
	}
	result := log.Runs[0].Results[0]
	place := result.Locations[0].PhysicalLocation
	if result.Level != "error" || place.Region.StartLine != 2 || place.Region.StartColumn != 93 || !strings.HasSuffix(place.ArtifactLocation.URI, "/a.json") {
		t.Errorf("as SARIF: %+v", result)
	}
	if !strings.HasPrefix(place.ArtifactLocation.URI, "file:///") {
		t.Errorf("a file elsewhere is at %s", place.ArtifactLocation.URI)
	}
	decode(t, a.as("", 0, "validate "+good+" --format sarif"), &log)

	here, err := filepath.Abs("testdata/mistake.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{here, "testdata/mistake.json", "./testdata/../testdata/mistake.json"} {
		decode(t, a.as("", 9, "validate "+name+" --format sarif"), &log)
		if uri := log.Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "testdata/mistake.json" {
			t.Errorf("%s is at %s", name, uri)
		}
	}
}

// decode reads the JSON that a command begins its output with.
func decode(t *testing.T, output string, into any) {
	t.Helper()
	if err := json.NewDecoder(strings.NewReader(output)).Decode(into); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}
