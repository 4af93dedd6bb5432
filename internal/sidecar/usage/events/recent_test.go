package events

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model is a shard without any economy.
type model struct {
	pairs []uint64 // the newest last
	what  map[uint64]uint64
	at    map[uint64]time.Duration
}

func (m *model) use(pair uint64) {
	m.pairs = append(slices.DeleteFunc(m.pairs, func(one uint64) bool { return one == pair }), pair)
}

func (m *model) told(pair, what uint64, now time.Duration) bool {
	at, known := m.at[pair]
	if !known || m.what[pair] != what || now-at >= window {
		return false
	}
	m.use(pair)
	return true
}

func (m *model) tell(pair, what uint64, now time.Duration) bool {
	at, known := m.at[pair]
	if known && m.what[pair] == what && now-at < window {
		return false
	}
	m.use(pair)
	m.what[pair], m.at[pair] = what, now
	if len(m.pairs) > shardCapacity {
		delete(m.what, m.pairs[0])
		delete(m.at, m.pairs[0])
		m.pairs = m.pairs[1:]
	}
	return true
}

// TestRecentIsAsAModel holds the list against a naive one, with more pairs than it has room for.
func TestRecentIsAsAModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a test
	r, m := newRecent(), &model{what: map[uint64]uint64{}, at: map[uint64]time.Duration{}}
	var now time.Duration
	for step := range 60_000 {
		now += time.Duration(random.Int64N(int64(10 * time.Second)))
		pair := shardCount * random.Uint64N(shardCapacity*5/4) // of one shard
		if random.IntN(3) == 0 {
			pair = shardCount * random.Uint64N(20)
		}
		what := random.Uint64N(2)
		switch random.IntN(20) {
		case 0:
			r.forget(pair)
			if _, known := m.at[pair]; known {
				m.at[pair] -= window
			}
		case 1, 2, 3, 4, 5:
			if got, want := r.told(pair, what, now), m.told(pair, what, now); got != want {
				t.Fatalf("step %d: told %t, want %t", step, got, want)
			}
		default:
			if got, want := r.tell(pair, what, now), m.tell(pair, what, now); got != want {
				t.Fatalf("step %d: new %t, want %t", step, got, want)
			}
		}
	}
	s := &r.shards[0]
	if len(s.index) != shardCapacity || len(s.slots) != shardCapacity {
		t.Errorf("%d of %d", len(s.index), len(s.slots))
	}
	for i, at := s.newest, len(m.pairs)-1; at >= 0; i, at = s.slots[i].older, at-1 {
		if s.slots[i].pair != m.pairs[at] {
			t.Fatalf("%d is in the place of %d", s.slots[i].pair, m.pairs[at])
		}
	}
}
