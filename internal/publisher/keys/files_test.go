package keys_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/keys"
)

func generated(t *testing.T) (keys.Files, string) {
	t.Helper()
	root, err := keys.GenerateRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := keys.Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	return files, root
}

// What is generated without a directory is what a directory of keys has.
func TestGeneratedFiles(t *testing.T) {
	t.Parallel()
	files, root := generated(t)
	trust, err := files.Verify()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.VerifyRoot(root, trust); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err := keys.Open(dir)
	if err != nil || k.HasRoot || k.Trust.String() != trust.String() {
		t.Errorf("%+v, %v", k, err)
	}
	if listed, err := keys.List(dir); err != nil || listed.Retired || listed.Version != 1 || len(listed.Keys) != 1 {
		t.Errorf("%+v, %v", listed, err)
	}
	rootFile := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(rootFile, []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(dir, rootFile); err != nil {
		t.Error(err)
	}
}

// Files that publishers could not use are refused, and no secret is told.
func TestFilesThatDoNotFit(t *testing.T) {
	t.Parallel()
	files, root := generated(t)
	other, otherRoot := generated(t)
	f := func(want, name string, text []byte) {
		t.Helper()
		changed := maps.Clone(files)
		changed[name] = text
		_, err := changed.Verify()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE+KEY") {
			t.Errorf("another %s: %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{keys.SigningFile, keys.NoteFile, keys.TrustFile} {
		f(name+" is missing", name, nil)
		f(name+": ", name, []byte("x"))
	}
	f(keys.NoteFile+": ", keys.NoteFile, other[keys.NoteFile])
	f(keys.NoteFile+": ", keys.TrustFile, other[keys.TrustFile])
	f("the keys note does not list it", keys.SigningFile, other[keys.SigningFile])
	f(keys.SigningFile+": ", keys.SigningFile, []byte(root[:len(root)-1]))
	trust, err := files.Verify()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{otherRoot, "", string(files[keys.SigningFile]), root[1:]} {
		if err := keys.VerifyRoot(wrong, trust); err == nil || strings.Contains(err.Error(), "KEY+") {
			t.Errorf("another root key: %v", err)
		}
	}
	if _, err := keys.Generate("x"); err == nil {
		t.Error("keys are made with what is no root key")
	}
}
