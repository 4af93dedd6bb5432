package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flagside/flagside/sync/changelog"
)

// done fails the test if a change has failed.
func done(t *testing.T) func(Change, error) Change {
	t.Helper()
	return func(c Change, err error) Change {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestRotateAndFinish(t *testing.T) {
	t.Parallel()
	dir := made(t)
	sleeper := changelog.NewKeyring(open(t, dir).Trust) // of a sidecar that has slept through all of it
	for round := range uint64(2) {
		before := open(t, dir)
		rotated := done(t)(Rotate(dir, ""))
		checkConsistent(t, dir)
		now := open(t, dir)
		if now.Signer.ID() == before.Signer.ID() || now.Signer.ID() != rotated.Signing.ID || rotated.Version != 2+2*round {
			t.Fatalf("the rotation gives %+v", rotated)
		}
		if !now.Keyring.Signs(before.Signer.ID()) {
			t.Error("the old key does not count while the rotation is not finished")
		}
		_, err := Rotate(dir, "")
		fails(t, err, "rotate --finish")

		finished := done(t)(Finish(dir, ""))
		checkConsistent(t, dir)
		now = open(t, dir)
		if now.Keyring.Signs(before.Signer.ID()) || now.Signer.ID() != rotated.Signing.ID || len(now.Keyring.Note().Keys) != 1 {
			t.Errorf("after the rotation the keys are %v", now.Keyring.Note().Keys)
		}
		if len(finished.Removed) != 1 || finished.Removed[0].ID != before.Signer.ID() || len(finished.Added) != 0 {
			t.Errorf("the second step has done %+v", finished)
		}
		if _, err := os.Stat(filepath.Join(dir, PreviousFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old secret is still there: %v", err)
		}
		_, err = Finish(dir, "")
		fails(t, err, "no rotation has begun")
	}
	if err := sleeper.Adopt(open(t, dir).Keyring.Note().Text); err != nil || !sleeper.Signs(open(t, dir).Signer.ID()) {
		t.Errorf("a sidecar that slept through two rotations does not know the newest key: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	dir := made(t)
	_, err := Revoke(dir, "", "01234567")
	fails(t, err, "lists no key 01234567")

	only := open(t, dir).Signer.ID()
	revoked := done(t)(Revoke(dir, "", changelog.Key{ID: only}.String()))
	checkConsistent(t, dir)
	k := open(t, dir)
	if k.Keyring.Signs(only) || len(revoked.Added) != 1 || k.Signer.ID() != revoked.Added[0].ID || len(k.Keyring.Note().Keys) != 1 {
		t.Errorf("revoking the only key gives %+v and %v", revoked, k.Keyring.Note().Keys)
	}
	if k.HasRoot != true || slices.Contains(names(t, dir), PreviousFile) {
		t.Errorf("revoking leaves %v", names(t, dir))
	}

	// While a rotation is not finished either of the two may be the stolen one.
	f := func(choose func(old, signing uint32) uint32, wantNew bool) {
		t.Helper()
		dir := made(t)
		old := open(t, dir).Signer.ID()
		signing := done(t)(Rotate(dir, "")).Signing.ID
		stolen := choose(old, signing)
		revoked := done(t)(Revoke(dir, "", changelog.Key{ID: stolen}.String()))
		checkConsistent(t, dir)
		if open(t, dir).Keyring.Signs(stolen) || (len(revoked.Added) == 1) != wantNew {
			t.Errorf("revoking one of two gives %+v", revoked)
		}
	}
	f(func(old, _ uint32) uint32 { return old }, false)
	f(func(_, signing uint32) uint32 { return signing }, true)
}

func TestExportRoot(t *testing.T) {
	t.Parallel()
	dir := made(t)
	root := content(t, filepath.Join(dir, RootFile))
	file := filepath.Join(t.TempDir(), "root")

	_, err := ExportRoot(dir, filepath.Join(dir, "elsewhere"))
	fails(t, err, "name a file elsewhere")
	put(t, file, "something")
	_, err = ExportRoot(dir, file)
	fails(t, err, "exists")
	if content(t, file) != "something" || content(t, filepath.Join(dir, RootFile)) != root {
		t.Fatal("a refused export has changed a file")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}

	if _, err := ExportRoot(dir, file); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || content(t, file) != root {
		t.Errorf("the export is %v, %v", info.Mode(), err)
	}
	if k := open(t, dir); k.HasRoot {
		t.Error("the root key still lies in the directory")
	}
	_, err = ExportRoot(dir, file)
	if !errors.Is(err, ErrNoRoot) {
		t.Errorf("exporting twice gives %v", err)
	}
	_, err = Rotate(dir, "")
	fails(t, err, "--root")
	done(t)(Rotate(dir, file))
	done(t)(Finish(dir, file))
	checkConsistent(t, dir)
	if _, err := Init(dir); !errors.Is(err, ErrHasKeys) {
		t.Errorf("Init beside an exported root gives %v", err)
	}
}

// An export that was interrupted after the file was complete is completed by the same command.
func TestExportRootTwice(t *testing.T) {
	t.Parallel()
	dir := made(t)
	file := filepath.Join(t.TempDir(), "root")
	put(t, file, content(t, filepath.Join(dir, RootFile)))
	if _, err := ExportRoot(dir, file); err != nil || open(t, dir).HasRoot {
		t.Errorf("the export was not completed: %v", err)
	}
}

// errCrash stands for the end of the process.
var errCrash = errors.New("crash")

// crashAt lets everything happen but what comes as the nth and after.
func crashAt(n int) func(string) error {
	return func(string) error {
		if n == 0 {
			return errCrash
		}
		n--
		return nil
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// pending reports whether an interrupted command has left something to do: the trust file comes last.
func pending(t *testing.T, dir string, version uint64) bool {
	t.Helper()
	written := open(t, dir).Trust.Floor().Version == version
	if got := names(t, dir); written && slices.Contains(got, nextFile) {
		t.Errorf("the trust file was written before the keys were in their place: %v", got)
	}
	return !written
}

// interrupted runs a command that crashes before each of its effects in turn, in a new directory each time, and then check. It returns
// after the first run that was long enough to succeed.
func interrupted(t *testing.T, prepare func(dir string), command func(d directory) error, check func(t *testing.T, dir string)) {
	t.Helper()
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), "keys")
		prepare(dir)
		err := command(directory{path: dir, step: crashAt(n)})
		if err == nil {
			if n < 5 {
				t.Errorf("the command has %d effects only", n)
			}
			return
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("crash %d: %v", n, err)
		}
		t.Run(fmt.Sprintf("crash %d", n), func(t *testing.T) { check(t, dir) })
	}
}

func prepared(t *testing.T, commands ...func(dir, root string) (Change, error)) func(dir string) {
	t.Helper()
	return func(dir string) {
		done(t)(Init(dir))
		for _, command := range commands {
			done(t)(command(dir, ""))
		}
	}
}

func TestInitCanBeInterrupted(t *testing.T) {
	t.Parallel()
	root := func(dir string) string {
		text, _ := os.ReadFile(filepath.Join(dir, RootFile))
		return string(text)
	}
	for name, again := range map[string]func(dir string) error{
		"init again":        func(dir string) error { _, err := Init(dir); return err },
		"start a publisher": func(dir string) error { _, err := OpenOrInit(dir); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			interrupted(t, func(string) {},
				func(d directory) error { _, err := d.init(); return err },
				func(t *testing.T, dir string) {
					t.Helper()
					before := root(dir)
					if err := again(dir); err != nil && !errors.Is(err, ErrHasKeys) { // only the last sync was missing
						t.Fatal(err)
					}
					checkConsistent(t, dir)
					if before != "" && root(dir) != before {
						t.Error("the root key was replaced")
					}
					if got := names(t, dir); len(got) != 4 {
						t.Errorf("the directory has %v", got)
					}
				})
		})
	}
}

func TestRotateCanBeInterrupted(t *testing.T) {
	t.Parallel()
	interrupted(t, prepared(t),
		func(d directory) error { _, err := d.rotate(""); return err },
		func(t *testing.T, dir string) {
			t.Helper()
			k := open(t, dir)
			if !k.Keyring.Signs(k.Signer.ID()) {
				t.Fatal("a publisher could not write after the crash")
			}
			if pending(t, dir, 2) {
				done(t)(Rotate(dir, ""))
			} else {
				_, err := Rotate(dir, "")
				fails(t, err, "--finish")
			}
			checkConsistent(t, dir)
			if n := open(t, dir).Keyring.Note(); n.Version != 2 || len(n.Keys) != 2 {
				t.Errorf("the keys note is version %d with %v", n.Version, n.Keys)
			}
			done(t)(Finish(dir, ""))
			checkConsistent(t, dir)
		})
}

func TestFinishCanBeInterrupted(t *testing.T) {
	t.Parallel()
	interrupted(t, prepared(t, Rotate),
		func(d directory) error { _, err := d.finish(""); return err },
		func(t *testing.T, dir string) {
			t.Helper()
			k := open(t, dir)
			if !k.Keyring.Signs(k.Signer.ID()) {
				t.Fatal("a publisher could not write after the crash")
			}
			if pending(t, dir, 3) {
				done(t)(Finish(dir, ""))
			} else {
				_, err := Finish(dir, "")
				fails(t, err, "no rotation has begun")
			}
			done(t)(Rotate(dir, ""))
			checkConsistent(t, dir)
			if n := open(t, dir).Keyring.Note(); n.Version != 4 || len(n.Keys) != 2 {
				t.Errorf("the keys note is version %d with %v", n.Version, n.Keys)
			}
		})
}

func TestRevokeCanBeInterrupted(t *testing.T) {
	t.Parallel()
	var stolen string
	interrupted(t,
		func(dir string) {
			prepared(t)(dir)
			stolen = changelog.Key{ID: open(t, dir).Signer.ID()}.String()
		},
		func(d directory) error { _, err := d.revoke("", stolen); return err },
		func(t *testing.T, dir string) {
			t.Helper()
			if pending(t, dir, 2) {
				done(t)(Revoke(dir, "", stolen))
			} else {
				_, err := Revoke(dir, "", stolen)
				fails(t, err, "lists no key")
			}
			checkConsistent(t, dir)
			n := open(t, dir).Keyring.Note()
			if n.Version != 2 || len(n.Keys) != 1 || n.PublicKeys()[0].String() == stolen {
				t.Errorf("the keys note is version %d with %v", n.Version, n.Keys)
			}
		})
}
