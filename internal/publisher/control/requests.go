package control

import (
	"context"
	"fmt"
)

// Requests returns all change requests, the oldest first, as they are now. Those that have ended are without their documents.
func (s *Service) Requests(ctx context.Context) ([]Request, error) {
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
		all[i] = r.against(state)
	}
	return all, nil
}

// Request returns a change request as it is now.
func (s *Service) Request(ctx context.Context, id string) (Request, error) {
	state, err := s.Current(ctx) // first, as above
	if err != nil {
		return Request{}, err
	}
	r, err := s.find(ctx, id)
	if err != nil {
		return r, err
	}
	if r, err = s.whole(ctx, r); err != nil {
		return r, err
	}
	return r.against(state), nil
}

// against returns a request as someone finds it who looks at a state: one that waits, made from what has changed since, needs to be made
// anew, whether or not anybody has tried to apply it.
func (r Request) against(s State) Request {
	if r.Status != Open && r.Status != NeedsRebase {
		return r
	}
	r.Moved = moved(s, r.Proposal.Bases)
	if len(r.Moved) > 0 || r.Proposal.Epoch != s.Position().Epoch {
		r.Status = NeedsRebase
	}
	return r
}

// find returns a change request as it stands in the ledger now.
func (s *Service) find(ctx context.Context, id string) (Request, error) {
	if err := s.refresh(ctx); err != nil {
		return Request{}, err
	}
	r, ok := s.known(id)
	if !ok {
		return Request{}, &Refusal{Cause: CauseNotFound, Detail: fmt.Sprintf("There is no change request %q.", id), Request: id}
	}
	return r, nil
}

func (s *Service) known(id string) (Request, bool) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Request(id)
}

// whole returns a request with the documents of its proposal and its comments, which the ledger has of one that has ended.
func (s *Service) whole(ctx context.Context, r Request) (Request, error) {
	if !r.ended() {
		return r, nil
	}
	journal, err := s.journal(ctx)
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
		r.Comments = append(r.Comments, Remark{By: e.By, At: e.At, Text: e.Text})
	}
	return r, nil
}

// recorded returns the event that the ledger has at a sequence.
func recorded(ctx context.Context, journal Journal, sequence uint64) (e Event, err error) {
	record, err := journal.Record(ctx, sequence)
	if err == nil {
		e, err = DecodeEvent(record.Body)
	}
	if err != nil {
		return e, fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, err)
	}
	return e, nil
}

// afterwards returns a request that something was done to, as far as possible with its documents: what was done is recorded anyway.
func (s *Service) afterwards(ctx context.Context, r Request) Request {
	if full, err := s.whole(ctx, r); err == nil {
		return full
	}
	return r
}

// Waiting counts the change requests that are not ended by what they wait for, as far as it is known here.
func (s *Service) Waiting() map[RequestStatus]int {
	state, err := s.Known()
	if err != nil {
		return nil
	}
	counts := map[RequestStatus]int{Open: 0, Claimed: 0, NeedsRebase: 0}
	for _, r := range s.ledger.unfinished() {
		counts[r.against(state).Status]++
	}
	return counts
}
