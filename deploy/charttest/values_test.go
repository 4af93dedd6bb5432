package charttest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A value without a comment says nothing in the chart's page.
func TestValuesHaveMeanings(t *testing.T) {
	page, err := Readme()
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .* \\| (.*) \\|$").FindAllStringSubmatch(page, -1) {
		documented[row[1]] = true
		if row[2] == "" {
			t.Errorf("%s has no meaning: write a comment above it that begins with --", row[1])
		}
	}
	var schema property
	if err := readJSON(filepath.Join(Chart, "values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	delete(schema.Properties, "global") // Helm gives it to every chart
	for _, name := range leaves("", schema) {
		inside := func(value string) bool {
			return value == name || strings.HasPrefix(name, value+".") || strings.HasPrefix(value, name+".")
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(documented)), inside) {
			t.Errorf("values.schema.json lets %s pass, which values.yaml does not have", name)
		}
	}
}

// property is a part of a JSON schema.
type property struct{ Properties map[string]property }

// leaves returns the names of the values that a schema has.
func leaves(name string, p property) []string {
	if len(p.Properties) == 0 {
		return []string{name}
	}
	var all []string
	for key, below := range p.Properties {
		all = append(all, leaves(strings.TrimPrefix(name+"."+key, "."), below)...)
	}
	return all
}

// The chart's page has every value of values.yaml.
func TestReadmeIsUpToDate(t *testing.T) {
	want, err := Readme()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(Chart, "README.md")
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		write(t, file, want)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs; FLAGSIDE_UPDATE=1 go test ./... in deploy/charttest writes it:\n%s", file, diff)
	}
	if rows := strings.Count(want, "\n| `"); rows < 80 {
		t.Errorf("%d values", rows)
	}
}
