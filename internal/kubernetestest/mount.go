package kubernetestest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Mount writes the data of a Secret as the kubelet mounts it, and returns the directory: each file is a link into a directory that is a link itself.
func Mount(tb testing.TB, data map[string][]byte, mode fs.FileMode) string {
	tb.Helper()
	const version = "..2026_11_29_00_00_00.0123456789"
	dir := tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil { //nolint:gosec // as the kubelet does
		tb.Fatal(err)
	}
	if err := os.Symlink(version, filepath.Join(dir, "..data")); err != nil {
		tb.Fatal(err)
	}
	for name, content := range data {
		file := filepath.Join(dir, version, name)
		if err := os.WriteFile(file, content, mode); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			tb.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}
