package resolver

import (
	"hash/maphash"
	"sync/atomic"
)

// sightings remember which questions came before, so that answers in contexts that come only once are not copied. They forget what was long ago,
// and may take one question for another. It is safe for concurrent use.
type sightings struct {
	seed  maphash.Seed
	slots [4096]atomic.Uint64
}

func newSightings() *sightings { return &sightings{seed: maphash.MakeSeed()} }

// again reports whether a question came before.
func (s *sightings) again(question []byte) bool {
	hash := maphash.Bytes(s.seed, question)
	return s.slots[hash%uint64(len(s.slots))].Swap(hash) == hash
}
