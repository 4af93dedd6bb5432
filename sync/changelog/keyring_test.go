package changelog

import (
	"errors"
	"sync"
	"testing"
)

func signedAt(tb testing.TB, key testKey, revision uint64) Head {
	tb.Helper()
	h, err := key.signer(tb).SignHead(prod, Head{Position: Position{Epoch: epochA, Revision: revision, Digest: Sum(nil)}})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// Of several keys notes the one with the highest version counts, in whichever
// order they come.
func TestKeyringTakesTheNewest(t *testing.T) {
	a := keysA()
	first, second, third := a.note(t, 1, 0), a.note(t, 2, 0, 1), a.note(t, 3, 1)
	ring := a.cold(t)
	expect := func(version uint64, signs ...bool) {
		t.Helper()
		if got := ring.Note(); got.Version != version {
			t.Errorf("version %d counts, want %d", got.Version, version)
		}
		for i, want := range signs {
			if got := ring.Signs(a.signing[i].id); got != want {
				t.Errorf("version %d: key %d signs %v, want %v", version, i, got, want)
			}
			if err := ring.VerifyHead(prod, signedAt(t, a.signing[i], 1)); (err == nil) != want {
				t.Errorf("version %d: a signature of key %d: %v", version, i, err)
			}
		}
	}
	expect(0, false, false)
	adopt(t, ring, second)
	expect(2, true, true)
	adopt(t, ring, first)
	expect(2, true, true)
	adopt(t, ring, third)
	expect(3, false, true)
	adopt(t, ring, second)
	adopt(t, ring, first)
	expect(3, false, true)
	adopt(t, ring, a.note(t, 3, 0, 2)) // the same version once more
	expect(3, false, true, false)
	if ring.Note().Text != third.Text {
		t.Error("another note of the same version was taken over")
	}
}

// A floor is a keys note that was seen: an older one does not come back.
func TestKeyringFloor(t *testing.T) {
	a := keysA()
	trust, err := ParseTrust([]byte(a.root.public + "\n\n" + a.note(t, 5, 1).Text))
	if err != nil {
		t.Fatal(err)
	}
	ring := NewKeyring(trust)
	adopt(t, ring, a.note(t, 4, 0))
	if ring.Note().Version != 5 || ring.Signs(a.signing[0].id) {
		t.Errorf("version %d counts", ring.Note().Version)
	}
	adopt(t, ring, a.note(t, 6, 2))
	if ring.Note().Version != 6 {
		t.Errorf("version %d counts, want 6", ring.Note().Version)
	}
}

func TestKeyringSupported(t *testing.T) {
	a := keysA()
	ring := a.cold(t)
	if err := ring.Supported(); err != nil {
		t.Errorf("without a note: %v", err)
	}
	adopt(t, ring, a.note(t, 1, 0))
	if err := ring.Supported(); err != nil {
		t.Errorf("format 2: %v", err)
	}
	newer, err := KeysNote{Installation: installationA, Version: 2, Requires: 3, Keys: []string{a.signing[0].public}}.Sign(a.root.secret)
	if err != nil {
		t.Fatal(err)
	}
	adopt(t, ring, newer)
	if err := ring.Supported(); !errors.Is(err, ErrRequires) {
		t.Errorf("format 3: error %v, want ErrRequires", err)
	}
	if err := ring.VerifyHead(prod, signedAt(t, a.signing[0], 1)); err != nil {
		t.Errorf("what is signed in the known format: %v", err)
	}
}

// What was found good is remembered, but not beyond a newer keys note.
func TestKeyringForgetsVerdicts(t *testing.T) {
	a := keysA()
	ring := a.keyring(t)
	h := signedAt(t, a.signing[0], 1)
	for range 3 {
		if err := ring.VerifyHead(prod, h); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(ring.verdicts); got != 1 {
		t.Errorf("%d verdicts are remembered, want 1", got)
	}
	damaged := h
	damaged.Revision++
	if ring.VerifyHead(prod, damaged) == nil || ring.VerifyHead("staging", h) == nil || len(ring.verdicts) != 1 {
		t.Errorf("a signature of something else counts, or is remembered: %d verdicts", len(ring.verdicts))
	}
	adopt(t, ring, a.note(t, 1, 0, 1)) // not newer
	if got := len(ring.verdicts); got != 1 {
		t.Errorf("%d verdicts after a note that is not newer, want 1", got)
	}
	adopt(t, ring, a.note(t, 2, 1))
	if got := len(ring.verdicts); got != 0 {
		t.Errorf("%d verdicts after a newer note, want none", got)
	}
	if err := ring.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a retired key: error %v, want ErrUnsigned", err)
	}
}

func TestKeyringRemembersWithinBounds(t *testing.T) {
	a := keysA()
	ring, s := a.keyring(t), a.signing[0].signer(t)
	for revision := range uint64(keptVerdicts + 10) {
		h, err := s.SignHead(prod, Head{Position: Position{Epoch: epochA, Revision: revision + 1, Digest: Sum(nil)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.VerifyHead(prod, h); err != nil {
			t.Fatal(err)
		}
		if len(ring.verdicts) > keptVerdicts {
			t.Fatalf("%d verdicts are remembered", len(ring.verdicts))
		}
	}
}

// Keys that do not count any more show the past, and decide nothing.
func TestVerifyPastHead(t *testing.T) {
	a := keysA()
	ring := a.cold(t)
	old, current, unknown := signedAt(t, a.signing[0], 1), signedAt(t, a.signing[1], 1), signedAt(t, a.unknown, 1)
	adopt(t, ring, a.note(t, 3, 1))
	if err := ring.VerifyPastHead(prod, old); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a key of a note that was not shown: %v", err)
	}
	adopt(t, ring, a.note(t, 1, 0)) // older, so it does not count
	if err := ring.VerifyPastHead(prod, old); err != nil {
		t.Errorf("a retired key: %v", err)
	}
	if err := ring.VerifyHead(prod, old); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a retired key decides: %v", err)
	}
	if err := ring.VerifyPastHead(prod, current); err != nil {
		t.Errorf("a key that counts: %v", err)
	}
	if err := ring.VerifyPastHead(prod, unknown); !errors.Is(err, ErrUnsigned) {
		t.Errorf("an unknown key: %v", err)
	}
	old.Revision++
	if err := ring.VerifyPastHead(prod, old); !errors.Is(err, ErrUnsigned) {
		t.Errorf("an altered head: %v", err)
	}
}

// A keyring is shared by everything in a process: while notes come, a key that is
// in all of them counts all the time, and a retired one never again.
func TestKeyringIsShared(t *testing.T) {
	a := keysA()
	ring := a.keyring(t)
	always, retired := signedAt(t, a.signing[1], 1), signedAt(t, a.signing[0], 1)
	adopt(t, ring, a.note(t, 2, 1))
	var notes []KeysNote
	for version := range uint64(20) {
		notes = append(notes, a.note(t, version+3, 1, 2))
	}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range 100 {
				if err := ring.Adopt(notes[i%len(notes)].Text); err != nil {
					t.Error(err)
				}
				if err := ring.VerifyHead(prod, always); err != nil {
					t.Error(err)
				}
				if err := ring.VerifyHead(prod, retired); err == nil {
					t.Error("a retired key counts")
				}
				ring.Note()
			}
		})
	}
	workers.Wait()
	if got := ring.Note().Version; got != 22 {
		t.Errorf("version %d counts, want 22", got)
	}
}

// What the process signed itself is known as far as its key counts, and proves
// nothing else.
func TestRememberHead(t *testing.T) {
	a := keysA()
	ring := a.keyring(t)
	own := signedAt(t, a.signing[0], 1)
	ring.RememberHead(prod, own)
	if err := ring.VerifyHead(prod, own); err != nil {
		t.Error(err)
	}
	other := own
	other.Revision++
	for name, err := range map[string]error{
		"another revision":    ring.VerifyHead(prod, other),
		"another environment": ring.VerifyHead("staging", own),
	} {
		if !errors.Is(err, ErrUnsigned) {
			t.Errorf("%s: %v, want ErrUnsigned", name, err)
		}
	}
	retired := a.unknown.signer(t)
	h, err := retired.SignHead(prod, Head{Position: own.Position})
	if err != nil {
		t.Fatal(err)
	}
	ring.RememberHead(prod, h)
	if err := ring.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a key that does not count: %v, want ErrUnsigned", err)
	}
}

// BenchmarkVerifyHead verifies one signature that was not seen before.
func BenchmarkVerifyHead(b *testing.B) {
	a := keysA()
	ring := a.keyring(b)
	h := signedAt(b, a.signing[0], 1)
	b.ReportAllocs()
	for b.Loop() {
		clear(ring.verdicts)
		if err := ring.VerifyHead(prod, h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyHeadAgain verifies one that another follower of the process has
// verified.
func BenchmarkVerifyHeadAgain(b *testing.B) {
	a := keysA()
	ring := a.keyring(b)
	h := signedAt(b, a.signing[0], 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := ring.VerifyHead(prod, h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignHead signs one entry.
func BenchmarkSignHead(b *testing.B) {
	s := keysA().signing[0].signer(b)
	h := Head{Position: Position{Epoch: epochA, Revision: 1, Digest: Sum(nil)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SignHead(prod, h); err != nil {
			b.Fatal(err)
		}
	}
}
