package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/trusttest"
)

func TestNewRefusesEnvironment(t *testing.T) {
	for _, name := range []string{"", "a/b", "..", "/"} {
		if s, err := New(Options{Environment: name}); err == nil {
			t.Errorf("environment %q was taken: %v", name, s)
		}
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	first := openStore(t, dir)
	if _, err := New(Options{Environment: "prod", Dir: dir, Keyring: trusttest.Default().Keyring()}); !errors.Is(err, ErrLocked) {
		t.Fatalf("error %v, want ErrLocked", err)
	}
	other, err := New(Options{Environment: "staging", Dir: dir, Keyring: trusttest.Default().Keyring()})
	if err != nil {
		t.Fatalf("another environment: %v", err)
	}
	_ = other.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", entry.Name(), info.Mode(), err)
		}
	}
	want := []string{"prod.lock", "prod.snapshot", "prod.snapshot.previous", "prod.tail", "prod.tail.previous"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A directory that cannot be used does not stop the Store from serving, and is
// taken into use when it can be.
func TestUnusableDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	checkView(t, s.View(), h)
	if diff := cmp.Diff([]Code{CodeDiskUnavailable}, codes(s.Problems())); diff != "" {
		t.Fatalf("conditions (-want +got):\n%s", diff)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	s.rewrite()
	if len(s.Problems()) > 0 {
		t.Fatalf("problems: %v", s.Problems())
	}
	apply(t, s, h.commit(t, flag("a", 2)))
	checkView(t, restart(t, s).View(), h)
}

// A tail that cannot be written is a condition until the next snapshot.
func TestTailFails(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	_ = s.disk.tail.Close() // every write fails from now on
	apply(t, s, h.commit(t, flag("a", 1)))
	apply(t, s, h.commit(t, flag("a", 2)))
	checkView(t, s.View(), h)
	if diff := cmp.Diff([]Code{CodeDiskBehind}, codes(s.Problems())); diff != "" {
		t.Fatalf("conditions (-want +got):\n%s", diff)
	}
	s.rewrite()
	if len(s.Problems()) > 0 {
		t.Fatalf("problems: %v", s.Problems())
	}
	apply(t, s, h.commit(t, flag("a", 3)))
	checkView(t, restart(t, s).View(), h)
}

// A snapshot that cannot be written is a condition; the tail goes on, so that
// nothing is lost.
func TestSnapshotFails(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	obstacle := filepath.Join(dir, "prod.snapshot.new", "x")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)))
	if diff := cmp.Diff([]Code{CodeDiskBehind}, codes(s.Problems())); diff != "" {
		t.Fatalf("conditions (-want +got):\n%s", diff)
	}
	s.pending.hurry()
	if wait := s.untilRewrite(); wait <= 0 || wait > retryDelay {
		t.Errorf("the next attempt is in %v", wait)
	}
	s = restart(t, s)
	checkView(t, s.View(), h)
	if err := os.RemoveAll(filepath.Dir(obstacle)); err != nil {
		t.Fatal(err)
	}
	s.rewrite()
	if len(s.Problems()) > 0 {
		t.Fatalf("problems: %v", s.Problems())
	}
}

// When another history cannot be stored, its changes must not go to the tail of
// the one before: that would look damaged. A restart shows the old history.
func TestSnapshotOfAnotherHistoryFails(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("old", 1)))
	obstacle := filepath.Join(dir, "prod.snapshot.new", "x")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	other, _ := newHistory(t)
	other.commit(t, flag("new", 1))
	load(t, s, other.snapshot(t))
	apply(t, s, other.commit(t, flag("new", 2)))
	checkView(t, s.View(), other)

	unlucky := restoreStore(t, copyDir(t, dir))
	checkView(t, unlucky.View(), h)
	if len(unlucky.Problems()) > 0 {
		t.Errorf("problems after a restart: %v", unlucky.Problems())
	}
	if err := os.RemoveAll(filepath.Dir(obstacle)); err != nil {
		t.Fatal(err)
	}
	s.rewrite()
	checkView(t, restart(t, s).View(), other)
}

// A change that comes while a snapshot is written is in the tail that follows it.
func TestChangesWhileRewriting(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	for n := range 50 {
		done := make(chan struct{})
		apply(t, s, h.commit(t, flag("a", n)))
		go func() {
			defer close(done)
			s.rewrite()
		}()
		for m := range 10 {
			apply(t, s, h.commit(t, flag("b", 10*n+m)))
		}
		<-done
		tail := s.disk.readTail(tailFile, s.pending.stored)
		if !tail.connects || tail.damage != nil {
			t.Fatalf("the tail does not continue the snapshot: %+v", tail)
		}
		checkView(t, restoreStore(t, copyDir(t, s.disk.dir)).View(), h)
	}
}

func TestQuarantineKeepsTheNewest(t *testing.T) {
	s := openStore(t, t.TempDir())
	for n := range 5 {
		writeFile(t, s.disk.dir, "prod.snapshot", []byte{byte(n)})
		if _, err := s.disk.quarantine(snapshotFile); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int{3, 4, 5}, s.disk.quarantined(snapshotFile)); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if got := readFile(t, s.disk.dir, "prod.snapshot.bad-5"); got[0] != 4 {
		t.Errorf("the last file holds %v", got)
	}
}

// A link that was put into the place of a file that is to be written is not
// followed.
func TestWritesFollowNoLinks(t *testing.T) {
	t.Parallel()
	s, h := liveStore(t, t.TempDir())
	target := filepath.Join(t.TempDir(), "target")
	for _, file := range []string{snapshotFile, tailFile, lastGoodFile} {
		if err := os.Symlink(target, s.disk.path(file)+unfinished); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, s, h.commit(t, bulky(t, "a"), broken("b")))
	s.rewrite()
	if problems := s.Problems(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("what is behind a link was written")
	}
	checkView(t, restart(t, s).View(), h)
}
