package resolver

import "github.com/flagside/flagside/internal/sidecar/usage"

// tally is how many evaluations of each outcome there were.
type tally [usage.OutcomeCount]uint32

func (t *tally) add(more *tally) {
	for o, n := range more {
		t[o] += n
	}
}
