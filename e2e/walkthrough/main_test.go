package main

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/flagside/flagside/internal/dev" // what the programs are made of, so that a remembered result never outlives a change
)

// The page shows what the programs do now.
func TestWalkthroughIsDocumented(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: walks with processes, which go test without it does")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, err := start(ctx, t.TempDir())
	defer w.stop()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.walk(ctx); err != nil {
		t.Fatalf("%v\n%s", err, w.String())
	}
	if w.failed > 0 {
		t.Errorf("%d of %d steps did not end as they should", w.failed, w.steps)
	}
	page, err := os.ReadFile("../../docs/walkthrough.md")
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(string(page), w.String()); difference != "" {
		t.Errorf("docs/walkthrough.md differs; make walkthrough writes it:\n%s", difference)
	}
}
