package control

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

const (
	// refusalsOfOne is how many refusals of one principal are recorded one by one in a minute, and refusalsOfAll how many of all.
	refusalsOfOne = 10
	refusalsOfAll = 100
	// readersNamed is how many principals who were refused to read are named in the summary of a minute.
	readersNamed = 20
)

// refusals bound how many refusals are recorded one by one, and count the others. The zero value has none.
type refusals struct {
	mu    sync.Mutex
	begun time.Time // of the minute that is counted
	by    map[string]int
	all   int
	more  uint64            // not recorded one by one, and not in a summary yet
	reads map[string]uint64 // refused reads that are not in a summary yet, by principal
}

// admit reports whether a refusal is to be recorded. Otherwise it is counted for the next summary.
func (r *refusals) admit(by string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || now.Sub(r.begun) >= summaryInterval {
		r.begun, r.by, r.all = now, make(map[string]int), 0
	}
	if r.all >= refusalsOfAll || r.by[by] >= refusalsOfOne {
		r.more++
		return false
	}
	r.by[by]++
	r.all++
	return true
}

// countRead counts a refused read: a client that polls what it may not read would fill the ledger. Of too many principals it is not told who.
func (r *refusals) countRead(by string, n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reads == nil {
		r.reads = make(map[string]uint64)
	}
	if _, known := r.reads[by]; !known && len(r.reads) >= readersNamed {
		r.more += n
		return
	}
	r.reads[by] += n
}

// take returns how many refusals the next summary has to tell of, and of whom it has to tell how many refused reads.
func (r *refusals) take() (more uint64, reads map[string]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	more, reads = r.more, r.reads
	r.more, r.reads = 0, nil
	return more, reads
}

// giveBack leaves refusals to a later summary.
func (r *refusals) giveBack(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more += n
}

// noteRefused records that policies did not permit something. That this fails changes nothing about the refusal.
func (s *Service) noteRefused(ctx context.Context, o decide.Origin, err error) {
	refusal, ok := errors.AsType[*decide.Refusal](err)
	if !ok || refusal.Cause != decide.CauseForbidden || refusal.Action == nil {
		return
	}
	if refusal.Action.Action == access.Read {
		s.refusals.countRead(o.By(), 1)
		return
	}
	now := s.options.Now().UTC()
	if !s.refusals.admit(o.By(), now) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	s.recordAnyway(ctx, requests.Event{
		Type: requests.EventRefused, By: o.By(), At: now, Request: refusal.Request, Text: refusal.Detail, Refusal: refusal.Action,
	})
}

// NoteRefused records a refusal that was decided outside of this package: of something that concerns the environment as a whole.
func (s *Service) NoteRefused(ctx context.Context, o decide.Origin, r *decide.Refusal) {
	s.noteRefused(ctx, o, r)
}

// CountUnauthenticated counts an unauthenticated request. Once a minute the ledger is told how many there were.
func (s *Service) CountUnauthenticated() { s.unauthenticated.Add(1) }

// summarize tells the ledger what was only counted since a time.
func (s *Service) summarize(ctx context.Context, since time.Time) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	now := s.options.Now().UTC()
	n := s.unauthenticated.Swap(0)
	if n > 0 && !s.recordAnyway(ctx, requests.Event{Type: requests.EventUnauthenticated, At: now, Count: n, Since: since}) {
		s.unauthenticated.Add(n) // the next summary tells
	}
	n, reads := s.refusals.take()
	if n > 0 && !s.recordAnyway(ctx, requests.Event{Type: requests.EventRefused, At: now, Count: n, Since: since}) {
		s.refusals.giveBack(n)
	}
	for by, n := range reads {
		e := requests.Event{Type: requests.EventRefused, By: by, At: now, Count: n, Since: since, Refusal: &requests.RefusedAction{Action: access.Read}}
		if !s.recordAnyway(ctx, e) {
			s.refusals.countRead(by, n)
		}
	}
}

// NoteAdministration records something that was done to the environment as a whole and stands in CONTROL at Control already. It reports
// whether the ledger has it now.
func (s *Service) NoteAdministration(ctx context.Context, e requests.Event) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	e.At = s.options.Now().UTC()
	return s.recordAnyway(ctx, e)
}
