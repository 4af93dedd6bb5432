package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConvert(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "flags.yaml")
	for content, test := range map[string]struct {
		code int
		want string
	}{
		"flags:\n  a: {state: ENABLED, variants: {on: true}, defaultVariant: on}\n":  {exitOK, "{\n\t\"flags\": {\n\t\t\"a\": {"},
		"flags:\n  a: {state: ENABLED, variants: {on: true}, defaultVariant: off}\n": {exitFailure, file + `:2:61: flag "a" at /defaultVariant`},
		"flags: {\n": {exitFailure, file + ":1:8: this is not YAML"},
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := runCommand(t.Context(), "convert", file)
		if code != test.code || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("%q: %d, %s%s; want %s", content, code, stdout, stderr, test.want)
		}
	}
}
