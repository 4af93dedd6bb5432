package cache

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/sync/changelog"
)

// filled returns a live Store with n flags and its first snapshot on disk.
func filled(tb testing.TB, dir string, n int) *Store {
	tb.Helper()
	s := openStore(tb, dir)
	_, begin := newHistory(tb)
	apply(tb, s, begin)
	for i := range n {
		doc := flag(fmt.Sprintf("flag-%d", i), i)
		if err := s.Apply([]changelog.Transaction{following(s.Position(), doc)}); err != nil {
			tb.Fatal(err)
		}
	}
	s.Synced()
	s.rewrite()
	return s
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
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					doc := flag(fmt.Sprintf("flag-%d", i%n), i)
					if err := s.Apply([]changelog.Transaction{following(s.Position(), doc)}); err != nil {
						b.Fatal(err)
					}
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
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := s.Apply([]changelog.Transaction{following(s.Position(), flag("flag-1", i))}); err != nil {
					b.Fatal(err)
				}
				s.rewrite()
			}
		})
	}
}
