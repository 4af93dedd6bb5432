package e2e_test

import (
	"os"
	"testing"
)

// maxSidecar is how many bytes the stripped sidecar may have; docs/adr/0005-what-the-sidecar-links.md says why.
const maxSidecar = 18_000_000

// Every pod pays for the size of the sidecar. What it grows by comes from what it links, which internal/architecture watches.
func TestSizeOfTheSidecar(t *testing.T) {
	t.Parallel()
	file, err := os.Stat(binaries.Sidecar)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the stripped sidecar has %.1f MB", float64(file.Size())/1e6)
	if file.Size() > maxSidecar {
		t.Errorf("the stripped sidecar has %d bytes, want %d at most", file.Size(), maxSidecar)
	}
}
