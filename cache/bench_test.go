package cache

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/internal/trusttest"
)

// filled returns a live Store with n flags and its first snapshot on disk.
func filled(tb testing.TB, dir string, n int) *Store {
	tb.Helper()
	s := openStore(tb, dir)
	h, _ := newHistory(tb)
	h.fill(tb, n)
	load(tb, s, h.snapshot(tb))
	s.Synced()
	s.rewrite()
	return s
}

// fill puts n flags in one entry, which no log could.
func (h *history) fill(tb testing.TB, n int) {
	tb.Helper()
	edit := h.state.Edit()
	for i := range n {
		doc := flag(fmt.Sprintf("flag-%d", i), i)
		doc.Revision = h.head.Revision
		edit.Add(doc)
		h.documents[doc.ID()], h.good[doc.ID()] = doc, doc
	}
	h.state = edit.State()
	h.head.State = h.state.Digest()
	h.head = sign(tb, h.keys.Signer(), h.environment, h.head)
}

func BenchmarkApplyOneChange(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, place := range []string{"memory", "disk"} {
			b.Run(fmt.Sprintf("flags=%d/%s", n, place), func(b *testing.B) {
				dir := ""
				if place == "disk" {
					dir = b.TempDir()
				}
				s := filled(b, dir, n)
				head := s.View().Header().Head
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					doc := flag(fmt.Sprintf("flag-%d", i%n), i)
					tx := unproved(s.Position(), doc)
					tx[0].State, tx[0].Signature = head.State, head.Signature // for their bytes
					apply(b, s, tx)
				}
			})
		}
	}
}

func BenchmarkRestore(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("flags=%d", n), func(b *testing.B) {
			s := filled(b, b.TempDir(), n)
			for b.Loop() {
				s = restart(b, s)
			}
		})
	}
}

func BenchmarkRewrite(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("flags=%d", n), func(b *testing.B) {
			s := filled(b, b.TempDir(), n)
			signer := trusttest.Default().Signer()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				apply(b, s, following(b, signer, s.View(), flag("flag-1", i)))
				s.rewrite()
			}
		})
	}
}
