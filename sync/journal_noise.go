package flagsync

import "slices"

// keptNoise is how many of the last messages that are noise are named.
const keptNoise = 16

// noise counts the messages that no publisher signed for their place.
type noise struct {
	count uint64
	last  []uint64 // sequences, at most keptNoise
}

func (n *noise) add(sequence uint64) {
	n.count++
	n.last = append(n.last, sequence)
	if len(n.last) > keptNoise {
		n.last = slices.Delete(n.last, 0, len(n.last)-keptNoise)
	}
}

// Noise returns how many messages were read that no publisher signed for their
// place, and the sequences of the last 16 of them.
func (j *Journal) Noise() (count uint64, last []uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.noise.count, slices.Clone(j.noise.last)
}
