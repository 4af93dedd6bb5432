package trusttest

import (
	"os"
	"path/filepath"
	"testing"
)

// Directory writes the keys to a directory that lasts as long as the test, as `publisher keys init` does, and returns its path.
func (k Keys) Directory(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range map[string]string{
		"root.key": k.Root + "\n", "signing.key": k.Signing + "\n", "keys.note": k.Note.Text, "trust": k.TrustText(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}
