package examples_test

import (
	"bytes"
	"os"
	"testing"
)

// The applications are to be read, so they stay short.
func TestApplicationsAreShort(t *testing.T) {
	for _, files := range [][]string{
		{"go/main.go"}, {"node/main.mjs"}, {"web/index.html", "web/main.mjs"}, {"python/main.py"}, {"java/src/main/java/shop/Main.java"},
	} {
		lines := 0
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(content, []byte("\n"))
		}
		if lines >= 60 {
			t.Errorf("%v: %d lines, want fewer than 60", files, lines)
		}
	}
}
