package sidecar_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What could not be reported of one environment is never reported as that of another, which may use the same data directory.
func TestUsageOfEnvironmentsIsKeptApart(t *testing.T) {
	dir := t.TempDir()
	reports := func(environment string) []string {
		found, err := filepath.Glob(filepath.Join(dir, "usage", environment, "*.usage"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	count := func(environment string) {
		o := options(nowhere)
		o.Environment, o.DataDir = environment, dir
		o.BootstrapFile = write(t, `{"flags":{"greeting":`+flag(5)+`}}`)
		s := start(t, o)
		s.want("greeting", 5.0)
		s.stop()
	}
	count("prod")
	before := reports("prod")
	if len(before) != 1 {
		t.Fatalf("%v waits", before)
	}
	content, err := os.ReadFile(before[0])
	if err != nil {
		t.Fatal(err)
	}
	count("staging")
	after := reports("prod")
	same, err := os.ReadFile(before[0])
	if err != nil || !slices.Equal(before, after) || string(content) != string(same) || len(reports("staging")) != 1 {
		t.Errorf("%v and %v wait, %v", after, reports("staging"), err)
	}
}
