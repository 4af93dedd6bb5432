package cache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/sync/changelog"
)

// renewed returns a history of another epoch, which is no continuation.
func renewed(tb testing.TB) (*history, []byte) {
	tb.Helper()
	h, _ := newHistory(tb)
	h.commit(tb, flag("renewed", 1))
	return h, h.snapshot(tb)
}

// leave brings a Store to another epoch, by a snapshot or by an entry.
func leave(tb testing.TB, s *Store, h *history, byEntry bool) *history {
	tb.Helper()
	if byEntry {
		h.position.Epoch = changelog.NewEpoch()
		apply(tb, s, h.commit(tb, flag("entry", 1)))
		return h
	}
	next, snapshot := renewed(tb)
	load(tb, s, snapshot)
	return next
}

// Epochs that were left are known after kill -9, however they were left, and
// only the newest of many.
func TestLeftEpochsOutliveTheProcess(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	if left := s.LeftEpochs(); left != nil {
		t.Fatalf("%v were left before anything has happened", left)
	}
	var want []changelog.Epoch
	for n := range maxEpochs + 4 {
		want = append(want, h.position.Epoch)
		h = leave(t, s, h, n%2 == 0)
		if n%5 == 0 {
			s = restart(t, s)
			s.Synced()
		}
	}
	s = restart(t, s)
	checkView(t, s.View(), h)
	if diff := cmp.Diff(want[len(want)-maxEpochs:], s.LeftEpochs()); diff != "" {
		t.Errorf("epochs (-want +got):\n%s", diff)
	}
	if len(s.Problems()) > 0 {
		t.Errorf("problems: %v", s.Problems())
	}
}

// A list that cannot be written is written with the next snapshot.
func TestLeftEpochsFail(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	obstacle := filepath.Join(dir, "prod.epochs.new", "x")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	want := []changelog.Epoch{h.position.Epoch}
	h = leave(t, s, h, true)
	if diff := cmp.Diff([]Code{CodeDiskBehind}, codes(s.Problems())); diff != "" {
		t.Fatalf("conditions (-want +got):\n%s", diff)
	}
	s.rewrite()
	if diff := cmp.Diff([]Code{CodeDiskBehind}, codes(s.Problems())); diff != "" {
		t.Fatalf("conditions after a snapshot without the list (-want +got):\n%s", diff)
	}
	if err := os.RemoveAll(filepath.Dir(obstacle)); err != nil {
		t.Fatal(err)
	}
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	if len(s.Problems()) > 0 {
		t.Fatalf("problems: %v", s.Problems())
	}
	if diff := cmp.Diff(want, restart(t, s).LeftEpochs()); diff != "" {
		t.Errorf("epochs (-want +got):\n%s", diff)
	}
}

// A damaged list, or that of another environment, is a condition, and is put
// aside; what is served does not depend on it.
func TestDamagedLeftEpochs(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"a bit":   func(data []byte) []byte { data[len(data)-6] ^= 1; return data },
		"its end": func(data []byte) []byte { return data[:len(data)-1] },
		"more":    func(data []byte) []byte { return append(data, 0) },
		"nothing": func([]byte) []byte { return nil },
		"another environment": func([]byte) []byte {
			data, err := appendFrame([]byte(epochsMagic), epochList{Environment: "other"})
			if err != nil {
				t.Fatal(err)
			}
			return data
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, h := liveStore(t, dir)
			h = leave(t, s, h, false)
			writeFile(t, dir, "prod.epochs", damage(readFile(t, dir, "prod.epochs")))
			s = restart(t, s)
			checkView(t, s.View(), h)
			if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if left := s.LeftEpochs(); left != nil {
				t.Errorf("%v is believed", left)
			}
			readFile(t, dir, "prod.epochs.bad-1")
		})
	}
}

func FuzzDecodeEpochs(f *testing.F) {
	for _, left := range [][]changelog.Epoch{nil, {changelog.NewEpoch()}, {changelog.NewEpoch(), "no epoch"}} {
		data, err := appendFrame([]byte(epochsMagic), epochList{Environment: "prod", Left: left})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		left, err := decodeEpochs(data, "prod")
		if err != nil {
			return
		}
		again, err := appendFrame([]byte(epochsMagic), epochList{Environment: "prod", Left: left})
		if err != nil {
			t.Fatal(err)
		}
		if reread, err := decodeEpochs(again, "prod"); err != nil || len(left) > maxEpochs || !cmp.Equal(left, reread) {
			t.Errorf("%v was read, and %v when it was written again: %v", left, reread, err)
		}
	})
}
