package fileaccess

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// chmod gives a file or a directory exactly a mode.
func chmod(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := file + "-link"
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]struct{ warns, refused bool }{
		0o600: {}, 0o400: {}, 0o640: {warns: true}, 0o644: {warns: true}, 0o660: {refused: true}, 0o602: {refused: true},
	} {
		chmod(t, file, mode)
		for _, path := range []string{file, link} {
			warning, err := VerifySecret(path)
			if (warning != "") != want.warns || errors.Is(err, ErrWritable) != want.refused {
				t.Errorf("mode %04o: warning %q, error %v", mode, warning, err)
			}
			if err := VerifySettings(path); errors.Is(err, ErrWritable) != want.refused {
				t.Errorf("settings of mode %04o: %v", mode, err)
			}
		}
	}
	if warning, err := VerifySecret(file + "-missing"); warning != "" || err != nil {
		t.Errorf("a missing file: %q, %v", warning, err)
	}
}

func TestDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		parent, own fs.FileMode
		refused     bool
	}{
		"its owner's":                   {0o755, 0o700, false},
		"a group's":                     {0o755, 0o2775, false},
		"everybody's":                   {0o755, 0o777, true},
		"everybody's, sticky":           {0o755, 0o777 | fs.ModeSticky, true},
		"below everybody's":             {0o777, 0o700, true},
		"below everybody's with sticky": {0o777 | fs.ModeSticky, 0o700, false},
	} {
		t.Run(name, func(t *testing.T) {
			parent := chmod(t, t.TempDir(), c.parent)
			own := filepath.Join(parent, "data")
			if err := VerifyDirectory(own); c.parent&othersWrite != 0 && c.parent&fs.ModeSticky == 0 && err == nil {
				t.Error("a directory that is not there yet is accepted")
			}
			if err := os.Mkdir(own, 0o700); err != nil {
				t.Fatal(err)
			}
			chmod(t, own, c.own)
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(own, link); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{own, link} {
				if err := VerifyDirectory(path); errors.Is(err, ErrWritable) != c.refused {
					t.Errorf("%s: %v", path, err)
				}
				if err := VerifyVolume(path); errors.Is(err, ErrWritable) != c.refused {
					t.Errorf("as a volume, %s: %v", path, err)
				}
			}
		})
	}
}

// The root of a volume is everybody's in Kubernetes.
func TestVolume(t *testing.T) {
	shared := t.TempDir()
	if err := syscall.Mount("tmpfs", shared, "tmpfs", 0, "mode=0777,size=1m"); err != nil {
		t.Skipf("a volume cannot be mounted here: %v", err)
	}
	defer func() { _ = syscall.Unmount(shared, 0) }()
	dir := filepath.Join(shared, "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{shared, dir} {
		if err := VerifyVolume(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if VerifyDirectory(path) == nil {
			t.Errorf("%s is accepted where it must be the owner's", path)
		}
	}
	if VerifyVolume(chmod(t, shared, 0o777|fs.ModeSticky)) == nil {
		t.Error("a directory for everybody's files is accepted")
	}
}

// A Secret that Kubernetes mounts is for the containers that mount it, whatever its mode; what others may write is refused there as well.
func TestMountedSecret(t *testing.T) {
	volume := t.TempDir()
	folder := filepath.Join(volume, "..2026_11_29_04_50_00.1234567890")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "token"), []byte("x"), 0o444); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"..data": filepath.Base(folder), "token": "..data/token"} {
		if err := os.Symlink(to, filepath.Join(volume, link)); err != nil {
			t.Fatal(err)
		}
	}
	if warning, err := VerifySecret(filepath.Join(volume, "token")); warning != "" || err != nil {
		t.Errorf("mounted: %q, %v", warning, err)
	}
	if warning, err := VerifySecret(filepath.Join(folder, "token")); warning == "" || err != nil {
		t.Errorf("beside the link: %q, %v", warning, err)
	}
	chmod(t, filepath.Join(folder, "token"), 0o666)
	if _, err := VerifySecret(filepath.Join(volume, "token")); !errors.Is(err, ErrWritable) {
		t.Errorf("writable: %v", err)
	}
}
