package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/trusttest"
)

func TestCheck(t *testing.T) {
	good := filepath.Join(t.TempDir(), "flags.json")
	writeFile(t, filepath.Dir(good), "flags.json", []byte(`{"flags":{"a":{"state":"ENABLED","variants":{"v":1},"defaultVariant":"v"}}}`))
	writeFile(t, filepath.Dir(good), "bad.json", []byte(`{"flags":{"a":{"state":"ENABLED","variants":{"v":1},"defaultVariant":"w"}}}`))
	f := func(name, dir, bootstrap, want string) {
		t.Helper()
		err := Check(Options{Environment: "prod", Dir: dir, Keyring: trusttest.Default().Keyring()}, bootstrap)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	f("nothing on disk", "", "", "")
	f("a bootstrap file", "", good, "")
	f("no bootstrap file", "", good+".none", "no such file")
	f("a bad bootstrap file", "", filepath.Join(filepath.Dir(good), "bad.json"), "defaultVariant")
	f("a directory that does not exist", filepath.Join(t.TempDir(), "new"), good, "")
	f("a file in place of the directory", good, good, "data directory")

	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "prod.probe.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	f("a directory in which nothing can be written", dir, good, "prod.probe.new")
}

// Files that are there stay as they are, whether a process uses them or not.
func TestCheckLeavesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	before := names(t, dir)
	if err := Check(Options{Environment: "prod", Dir: dir, Keyring: trusttest.Default().Keyring()}, ""); err != nil {
		t.Errorf("a directory that a process uses: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Check(Options{Environment: "prod", Dir: dir, Keyring: trusttest.Default().Keyring()}, ""); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, names(t, dir)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	checkView(t, restoreStore(t, dir).View(), h)
	if err := Check(Options{Environment: "../prod", Dir: dir, Keyring: trusttest.Default().Keyring()}, ""); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("an environment that is no file name: %v", err)
	}
}

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
