package cache

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
)

// generations returns a directory with two generations of files and something
// in each tail, and what they add up to.
func generations(t *testing.T) (dir string, h *history) {
	t.Helper()
	dir = t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1), flag("b", 1)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("b", 2)), h.commit(t, deleted("a")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, h
}

func TestRestoreNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	source, err := s.Restore()
	if source != SourceEmpty || err != nil || s.View() != nil || len(s.Problems()) > 0 {
		t.Errorf("restored %s, %v, %v", source, err, s.Problems())
	}
}

func TestRestoreOnlyOnce(t *testing.T) {
	s, _ := liveStore(t, t.TempDir())
	if _, err := s.Restore(); err == nil {
		t.Error("a live state was replaced by the one on disk")
	}
}

func TestRestoredStateIsContinued(t *testing.T) {
	dir, h := generations(t)
	for n := range 5 {
		s := restoreStore(t, dir)
		checkView(t, s.View(), h)
		apply(t, s, h.commit(t, flag("c", n)))
		checkView(t, s.View(), h)
		if s.Source() != SourceDisk || len(s.Problems()) > 0 {
			t.Fatalf("source %s, problems %v", s.Source(), s.Problems())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A snapshot with any byte changed is refused and put aside; the previous one
// and the two tails lead to the same state.
func TestRestoreDamagedSnapshot(t *testing.T) {
	dir, h := generations(t)
	data := readFile(t, dir, "prod.snapshot")
	step := 7
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		step = 1
	}
	for i := 0; i < len(data); i += step {
		damaged := copyDir(t, dir)
		data[i] ^= 0x20
		writeFile(t, damaged, "prod.snapshot", data)
		data[i] ^= 0x20

		s := restoreStore(t, damaged)
		checkView(t, s.View(), h)
		if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
			t.Fatalf("byte %d: conditions (-want +got):\n%s", i, diff)
		}
		if _, err := os.Stat(filepath.Join(damaged, "prod.snapshot.bad-1")); err != nil {
			t.Fatalf("byte %d: not put aside: %v", i, err)
		}
		s = restart(t, s)
		checkView(t, s.View(), h)
		if len(s.Problems()) > 0 {
			t.Fatalf("byte %d: conditions after the next start: %v", i, s.Problems())
		}
		_ = s.Close()
	}
}

func TestRestoreTruncatedSnapshot(t *testing.T) {
	dir, h := generations(t)
	data := readFile(t, dir, "prod.snapshot")
	for length := 0; length < len(data); length += 11 {
		damaged := copyDir(t, dir)
		writeFile(t, damaged, "prod.snapshot", data[:length])
		s := restoreStore(t, damaged)
		checkView(t, s.View(), h)
		_ = s.Close()
	}
}

func TestRestoreBothSnapshotsDamaged(t *testing.T) {
	dir, _ := generations(t)
	writeFile(t, dir, "prod.snapshot", []byte("flagside snapshot 2\n"))
	writeFile(t, dir, "prod.snapshot.previous", nil)
	s := restoreStore(t, dir)
	if s.View() != nil || s.Source() != SourceEmpty || len(s.Problems()) != 2 {
		t.Fatalf("View %v from %s, problems %v", s.View(), s.Source(), s.Problems())
	}
	h, begin := newHistory(t)
	apply(t, s, begin)
	s.Synced()
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 1)))
	checkView(t, restart(t, s).View(), h)
}

// A torn last record never was shown, so it is dropped without a word and the
// next change takes its place.
func TestRestoreTornTail(t *testing.T) {
	dir, h := generations(t)
	long := change{head: h.head, documents: []document.Document{flag(strings.Repeat("k", 1000), 1)}}
	torn, err := appendTailRecords(readFile(t, dir, "prod.tail"), h.head.Position, []change{long})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "prod.tail", torn[:len(torn)-1])
	s := restoreStore(t, dir)
	checkView(t, s.View(), h)
	if len(s.Problems()) > 0 {
		t.Fatalf("problems: %v", s.Problems())
	}
	apply(t, s, h.commit(t, flag("c", 1)))
	s = restart(t, s)
	checkView(t, s.View(), h)
	if len(s.Problems()) > 0 {
		t.Errorf("problems after the next change: %v", s.Problems())
	}
}

// A record that is damaged ends the tail: what stands before it is served, is
// not lost at the next start either, and the file is put aside.
func TestRestoreDamagedTail(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	until := h.fork()
	end := s.disk.tailSize
	apply(t, s, h.commit(t, flag("a", 2)), h.commit(t, flag("a", 3)))
	_ = s.Close()
	data := readFile(t, dir, "prod.tail")
	data[end+frameHead] ^= 1
	writeFile(t, dir, "prod.tail", data)

	s = restoreStore(t, dir)
	checkView(t, s.View(), until)
	if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
		t.Fatalf("conditions (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "prod.tail.previous.bad-1")); err != nil {
		t.Errorf("not put aside: %v", err)
	}
	apply(t, s, until.commit(t, flag("b", 1)))
	s = restart(t, s)
	checkView(t, s.View(), until)
	if len(s.Problems()) > 0 {
		t.Errorf("conditions after the next start: %v", s.Problems())
	}
}

func TestRestoreOfAnotherEnvironment(t *testing.T) {
	dir, _ := generations(t)
	for _, suffix := range []string{"snapshot", "snapshot.previous", "tail", "tail.previous"} {
		writeFile(t, dir, "staging."+suffix, readFile(t, dir, "prod."+suffix))
	}
	s, err := New(Options{Environment: "staging", Dir: dir, Keyring: trusttest.Default().Keyring()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if source, err := s.Restore(); source != SourceEmpty || err != nil || len(s.Problems()) != 2 {
		t.Errorf("restored %s, %v, problems %v", source, err, s.Problems())
	}
}

// Wherever a process ends while the generations are replaced, the next one
// finds the same state, and can go on from it.
func TestRestoreAfterEachStepOfRewriting(t *testing.T) {
	dir, h := generations(t)
	s := restoreStore(t, copyDir(t, dir))
	s.rewrite()
	_ = s.Close()
	after := s.disk.dir
	snapshot, tail := readFile(t, after, "prod.snapshot"), readFile(t, after, "prod.tail")

	move := func(from, to string) {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		name string
		do   func()
	}{
		{"nothing", func() {}},
		{"half a snapshot", func() { writeFile(t, dir, "prod.snapshot.new", snapshot[:len(snapshot)/2]) }},
		{"a snapshot beside", func() { writeFile(t, dir, "prod.snapshot.new", snapshot) }},
		{"the old snapshot renamed", func() { move("prod.snapshot", "prod.snapshot.previous") }},
		{"the new snapshot in place", func() { move("prod.snapshot.new", "prod.snapshot") }},
		{"half a tail", func() { writeFile(t, dir, "prod.tail.new", tail[:10]) }},
		{"a tail beside", func() { writeFile(t, dir, "prod.tail.new", tail) }},
		{"the old tail renamed", func() { move("prod.tail", "prod.tail.previous") }},
		{"the new tail in place", func() { move("prod.tail.new", "prod.tail") }},
	}
	for _, step := range steps {
		step.do()
		s, h := restoreStore(t, copyDir(t, dir)), h.fork()
		if s.View() == nil || len(s.Problems()) > 0 {
			t.Fatalf("after %s: View %v, problems %v", step.name, s.View(), s.Problems())
		}
		checkView(t, s.View(), h)
		apply(t, s, h.commit(t, flag("next", 1)))
		s = restart(t, s)
		checkView(t, s.View(), h)
		s.rewrite()
		checkView(t, restart(t, s).View(), h)
	}
}
