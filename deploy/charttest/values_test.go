package charttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
