package resolver

import (
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Enrich is enrich, for tests.
func (q *Request) Enrich(data []byte) ([]byte, error) { return q.enrich(data) }

// Layouts returns how many layouts of bulk answers are kept.
func (r *Resolver) Layouts() int {
	if l := r.layouts.Load(); l != nil {
		return len(l.byQuestion)
	}
	return 0
}

// MakeLayout holds what a request holds that makes a layout, until it is done.
func (r *Resolver) MakeLayout() (done func()) {
	r.layoutsMu.Lock()
	return r.layoutsMu.Unlock
}

// ParseRequirement is parseRequirement, for tests.
func ParseRequirement(revision, freshness []byte) (changelog.Token, eval.Freshness, error) {
	return parseRequirement(revision, freshness)
}
