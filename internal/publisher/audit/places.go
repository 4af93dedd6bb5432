package audit

import (
	"sort"

	"github.com/flagside/flagside/sync/changelog"
)

// places are the records of a stream by their sequences, in ascending order: 40 bytes each.
type places struct {
	sequences []uint64
	digests   []changelog.Digest
}

func (p *places) add(sequence uint64, digest changelog.Digest) {
	p.sequences = append(p.sequences, sequence)
	p.digests = append(p.digests, digest)
}

func (p *places) digest(sequence uint64) (changelog.Digest, bool) {
	i := sort.Search(len(p.sequences), func(i int) bool { return p.sequences[i] >= sequence })
	if i == len(p.sequences) || p.sequences[i] != sequence {
		return changelog.Digest{}, false
	}
	return p.digests[i], true
}
