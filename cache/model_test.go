package cache

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// Invariants of a Store, under random operations against a naive map:
//   - once the state was complete, the View is exactly what was applied last,
//     whatever was done to the files in between;
//   - a process that begins anew, after kill -9 or after a proper end, shows
//     exactly what the last one showed;
//   - another history replaces everything, on disk too;
//   - every flag is served in its last version that compiles, after a restart too.
func TestStoreAgainstModel(t *testing.T) {
	seeds := uint64(4)
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		seeds = 400
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir()
			s, h := liveStore(t, dir)
			for range 100 {
				switch random.IntN(10) {
				case 0:
					s = restart(t, s)
					if s.Source() != SourceDisk {
						t.Fatalf("source %s after a restart", s.Source())
					}
				case 1:
					s.rewrite()
				case 2:
					s.Synced()
				case 3:
					h = h.fork()
					h.head.Epoch = changelog.NewEpoch(time.Now(), h.head.Epoch)
					randomTransaction(t, random, h)
					load(t, s, h.snapshot(t))
					s.Synced()
				default:
					var txs []changelog.Transaction
					for range 1 + random.IntN(3) {
						txs = append(txs, randomTransaction(t, random, h))
					}
					apply(t, s, txs...)
				}
				checkView(t, s.View(), h)
				checkRules(t, s.View(), h)
				if s.Position() != h.head.Position || s.StateDigest() != h.state.Digest() {
					t.Fatalf("position %v, state digest %s", s.Position(), s.StateDigest())
				}
			}
			if problems := s.Problems(); len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

func randomTransaction(t *testing.T, random *rand.Rand, h *history) changelog.Transaction {
	t.Helper()
	var documents []document.Document
	for _, n := range random.Perm(40)[:1+random.IntN(4)] {
		key := "flag-" + strconv.Itoa(n)
		switch random.IntN(8) {
		case 0, 1:
			documents = append(documents, deleted(key))
		case 2:
			documents = append(documents, broken(key))
		default:
			documents = append(documents, flag(key, random.IntN(1000)))
		}
	}
	return h.commit(t, documents...)
}

func load(tb testing.TB, s *Store, snapshot []byte) {
	tb.Helper()
	loadWith(tb, s, snapshot, trusttest.Default().Keyring())
}

func loadWith(tb testing.TB, s *Store, snapshot []byte, keys *changelog.Keyring) {
	tb.Helper()
	r, err := changelog.NewSnapshotReader(bytes.NewReader(snapshot), keys)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	if err := s.Load(r); err != nil {
		tb.Fatal(err)
	}
}
