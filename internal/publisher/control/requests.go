package control

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Requests returns all change requests, the oldest first, as they are now. Those that have ended are without their documents.
func (s *Service) Requests(ctx context.Context) ([]requests.Request, error) {
	state, err := s.Current(ctx) // first: what the ledger says afterwards is not older
	if err != nil {
		return nil, err
	}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	all := s.ledger.governance.Requests()
	for i, r := range all {
		all[i] = decide.Against(r, state)
	}
	return all, nil
}

// Request returns a change request as it is now.
func (s *Service) Request(ctx context.Context, id string) (requests.Request, error) {
	r, err := s.current(ctx, id)
	if err != nil {
		return r, err
	}
	r.Warnings = s.warnings(r, nil)
	return r, nil
}

// current returns a change request as it is now, with its documents.
func (s *Service) current(ctx context.Context, id string) (requests.Request, error) {
	state, err := s.Current(ctx) // first, as above
	if err != nil {
		return requests.Request{}, err
	}
	r, err := s.find(ctx, id)
	if err != nil {
		return r, err
	}
	if r, err = s.whole(ctx, r); err != nil {
		return r, err
	}
	return decide.Against(r, state), nil
}

// find returns a change request as it stands in the ledger now.
func (s *Service) find(ctx context.Context, id string) (requests.Request, error) {
	if err := s.refresh(ctx); err != nil {
		return requests.Request{}, err
	}
	r, ok := s.known(id)
	if !ok {
		return requests.Request{}, &decide.Refusal{Cause: decide.CauseNotFound, Detail: fmt.Sprintf("There is no change request %q.", id), Request: id}
	}
	return r, nil
}

func (s *Service) known(id string) (requests.Request, bool) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Request(id)
}

// whole returns a request with the documents of its proposal and its comments, which the ledger has of one that has ended.
func (s *Service) whole(ctx context.Context, r requests.Request) (requests.Request, error) {
	if !r.Ended() {
		return r, nil
	}
	journal, err := s.options.Store.Ledger(ctx)
	if err != nil {
		return r, err
	}
	proposed, err := recorded(ctx, journal, r.Proposed)
	if err != nil {
		return r, err
	}
	r.Proposal = proposed.Proposal
	for _, sequence := range r.Commented {
		e, err := recorded(ctx, journal, sequence)
		if err != nil {
			return r, err
		}
		r.Comments = append(r.Comments, requests.Remark{By: e.By, At: e.At, Text: e.Text})
	}
	return r, nil
}

// recorded returns the event that the ledger has at a sequence.
func recorded(ctx context.Context, journal Ledger, sequence uint64) (e requests.Event, err error) {
	record, err := journal.Record(ctx, sequence)
	if err == nil {
		e, err = requests.DecodeEvent(record.Body)
	}
	if err != nil {
		return e, fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, err)
	}
	return e, nil
}

// shown returns a request that something was done to with its warnings and, as far as possible, with its documents: what was done is recorded
// anyway. What was compiled of it already need not be compiled again.
func (s *Service) shown(ctx context.Context, r requests.Request, compiled *decide.Candidate) requests.Request {
	if r.ID == "" {
		return r // the command was about no request
	}
	if full, err := s.whole(ctx, r); err == nil {
		r = full
	}
	r.Warnings = s.warnings(r, compiled)
	return r
}

// Waiting counts the change requests that are not ended by what they wait for, as far as it is known here.
func (s *Service) Waiting() map[requests.Status]int {
	state, err := s.Known()
	if err != nil {
		return nil
	}
	counts := map[requests.Status]int{requests.Open: 0, requests.Claimed: 0, requests.NeedsRebase: 0}
	for _, r := range s.ledger.unfinished() {
		counts[decide.Against(r, state).Status]++
	}
	return counts
}
