package keys

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/sync/changelog"
)

// made returns a directory with new keys.
func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := Init(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) Keys {
	t.Helper()
	k, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fails checks that an error says something.
func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want one that says %q", err, want)
	}
}

// checkConsistent checks what has to hold for every directory that a publisher can start with.
func checkConsistent(t *testing.T, dir string) {
	t.Helper()
	k := open(t, dir)
	if !k.Keyring.Signs(k.Signer.ID()) {
		t.Errorf("the keys note, version %d, does not list the signing key", k.Keyring.Note().Version)
	}
	if got, want := k.Trust.Floor().Text, content(t, filepath.Join(dir, NoteFile)); got != want {
		t.Errorf("the trust file knows %q, the keys note is %q", got, want)
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := made(t)
	checkConsistent(t, dir)
	for name, want := range map[string]os.FileMode{".": 0o700, RootFile: 0o600, SigningFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", name, info.Mode(), err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("the directory has %v, %v, want four files", entries, err)
	}
	k := open(t, dir)
	if !k.HasRoot || len(k.Warnings) > 0 || k.Keyring.Note().Version != 1 {
		t.Errorf("new keys are %+v", k)
	}

	root := content(t, filepath.Join(dir, RootFile))
	_, err = Init(dir)
	fails(t, err, "root.key, signing.key, keys.note, trust")
	if got := content(t, filepath.Join(dir, RootFile)); got != root {
		t.Error("a second Init has replaced the root key")
	}
}

func TestInitRefusesWhatItCannotComplete(t *testing.T) {
	t.Parallel()
	f := func(want string, remove ...string) {
		t.Helper()
		dir := made(t)
		for _, name := range remove {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Init(dir)
		fails(t, err, want)
		_, err = OpenOrInit(dir)
		if err == nil && !slices.Equal(remove, []string{RootFile}) {
			t.Errorf("without %v the keys can be opened", remove)
		}
	}
	f("signing.key, keys.note, trust", RootFile)
	f("signing.key, keys.note), and cannot be completed without root.key", RootFile, TrustFile)
	f("keys.note), and cannot be completed", RootFile, SigningFile, TrustFile)
	f("root.key, keys.note, trust", SigningFile)
	f("it does not list the key in signing.key", SigningFile, TrustFile) // a new signing key beside the old note
}

func TestOpenOrInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	_, err := Open(dir)
	fails(t, err, "publisher keys init "+dir)
	first, err := OpenOrInit(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenOrInit(dir)
	if err != nil || second.Signer.ID() != first.Signer.ID() {
		t.Errorf("the second start has key %08x, %v, want %08x", second.Signer.ID(), err, first.Signer.ID())
	}
}

func TestKeysOfTwoInstallations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		dir, other := made(t), made(t)
		put(t, filepath.Join(dir, name), content(t, filepath.Join(other, name)))
		if _, err := Open(dir); err == nil {
			t.Errorf("%s of another installation was taken", name)
		}
	}
	dir, other := made(t), made(t)
	_, err := Rotate(dir, filepath.Join(other, RootFile))
	fails(t, err, "installation")
	checkConsistent(t, dir)
}

// A root key of the same installation that the trust file does not name must not sign: the thief of a publisher could make one.
func TestUntrustedRoot(t *testing.T) {
	t.Parallel()
	dir := made(t)
	secret, _, err := changelog.GenerateKey(open(t, dir).Trust.Installation())
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "own"), secret)
	_, err = Rotate(dir, filepath.Join(dir, "own"))
	fails(t, err, "not a root key that")
	checkConsistent(t, dir)
}

func TestTamperedFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		text := content(t, filepath.Join(made(t), name))
		for i := 0; i < len(text); i += 1 + len(text)/40 {
			dir := made(t)
			original := content(t, filepath.Join(dir, name))
			tampered := []byte(original)
			at := i % len(tampered)
			tampered[at] ^= 0x01
			put(t, filepath.Join(dir, name), string(tampered))
			k, err := Open(dir)
			if err == nil && !k.Keyring.Signs(k.Signer.ID()) {
				t.Errorf("%s with byte %d changed was taken, and its signing key does not count", name, at)
			}
			if err == nil && name != TrustFile { // in the trust file, space around what counts does not
				t.Errorf("%s with byte %d changed was taken", name, at)
			}
		}
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{SigningFile, TrustFile} {
		for _, mode := range []os.FileMode{0o620, 0o602} {
			dir := made(t)
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			fails(t, err, "can be written by others")
		}
	}
	for _, name := range []string{SigningFile, RootFile} {
		dir := made(t)
		if err := os.Chmod(filepath.Join(dir, name), 0o640); err != nil {
			t.Fatal(err)
		}
		k := open(t, dir)
		if len(k.Warnings) != 1 || !strings.Contains(k.Warnings[0], "chmod 0600 "+filepath.Join(dir, name)) {
			t.Errorf("%s is readable by the group, and the warnings are %q", name, k.Warnings)
		}
	}
	dir := made(t)
	if err := os.Chmod(filepath.Join(dir, RootFile), 0o660); err != nil {
		t.Fatal(err)
	}
	_, err := Rotate(dir, "")
	fails(t, err, "can be written by others")
}

// A secret must not get into an error, where logs would keep it.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	dir := made(t)
	secret := strings.TrimSpace(content(t, filepath.Join(dir, SigningFile)))
	put(t, filepath.Join(dir, SigningFile), secret[:len(secret)-1])
	_, err := Open(dir)
	if err == nil || strings.Contains(err.Error(), secret[len(secret)-20:len(secret)-1]) {
		t.Errorf("a broken signing key gives %v", err)
	}
}

// Kubernetes mounts a Secret as links to files in a directory that it replaces.
func TestMountedSecret(t *testing.T) {
	t.Parallel()
	dir, mount := made(t), t.TempDir()
	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		if err := os.Symlink(filepath.Join(dir, name), filepath.Join(mount, name)); err != nil {
			t.Fatal(err)
		}
	}
	k := open(t, mount)
	if k.HasRoot || k.Signer.ID() != open(t, dir).Signer.ID() {
		t.Errorf("the mount is %+v", k)
	}
	_, err := Rotate(mount, filepath.Join(dir, RootFile))
	fails(t, err, "symbolic link")
	_, err = Init(mount)
	fails(t, err, "symbolic link")
}
