package control

import (
	"context"
	"fmt"
	"iter"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// RecordedEvent is an event with its place in the ledger.
type RecordedEvent struct {
	requests.Event

	Sequence uint64
	// Digest is that of the record. A ledger that was restored can have another record at a sequence.
	Digest changelog.Digest
}

// Events returns what the ledger had recorded before the call from a sequence on, oldest first; 1 is its beginning. It ends with the first
// error.
func (s *Service) Events(ctx context.Context, from uint64) iter.Seq2[RecordedEvent, error] {
	journal, err := s.options.Store.Ledger(ctx)
	if err != nil {
		return func(yield func(RecordedEvent, error) bool) { yield(RecordedEvent{}, err) }
	}
	return EventsOf(ctx, journal, from)
}

// RequestDocuments returns the documents that a change request changes, as far as it is known here; none if it is not.
func (s *Service) RequestDocuments(id string) (ids []document.ID) {
	r, known := s.known(id)
	if !known {
		return nil
	}
	for _, c := range r.Proposal.Changes {
		ids = append(ids, document.ID{Kind: c.Kind, Key: c.Key})
	}
	return ids
}

// RequestBreaksGlass reports whether a change request goes without the approvals that policies want, as far as it is known here.
func (s *Service) RequestBreaksGlass(id string) bool {
	r, known := s.known(id)
	return known && r.Proposal.BreakGlass
}

// EventsOf is Service.Events of a ledger, with its repairs.
func EventsOf(ctx context.Context, journal Ledger, from uint64) iter.Seq2[RecordedEvent, error] {
	return func(yield func(RecordedEvent, error) bool) {
		for r, err := range journal.Read(ctx, from) {
			var e requests.Event
			ok := false
			switch {
			case err != nil:
			case changelog.RecordType(r.Body) == changelog.RecordRepaired:
				ok = true
				e, err = repairEvent(r.Body)
			default:
				e, ok, err = eventOf(r)
			}
			if err != nil {
				yield(RecordedEvent{}, fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, err))
				return
			}
			if ok && !yield(RecordedEvent{Event: e, Sequence: r.Sequence, Digest: r.Digest}, nil) {
				return
			}
		}
	}
}

// LedgerEnd returns the sequence of the newest record that the ledger had before the call, 0 if there is none.
func (s *Service) LedgerEnd(ctx context.Context) (uint64, error) {
	if err := s.refresh(ctx); err != nil {
		return 0, err
	}
	return s.KnownLedgerEnd(), nil
}

// KnownLedgerEnd returns the sequence of the newest record of the ledger that is known here, or that other publishers have named.
func (s *Service) KnownLedgerEnd() uint64 {
	return max(s.ledger.sequence(), s.options.Follower.Status().Ledger.Sequence)
}

// eventOf returns the event that a record of the ledger holds, false if the record is about the ledger itself.
func eventOf(r writer.Record) (e requests.Event, ok bool, err error) {
	switch changelog.RecordType(r.Body) {
	case changelog.RecordKeys, changelog.RecordRepaired:
		return requests.Event{}, false, nil
	}
	e, err = requests.DecodeEvent(r.Body)
	return e, err == nil, err
}

// repairEvent returns a repair of a ledger as an event.
func repairEvent(body []byte) (requests.Event, error) {
	r, err := changelog.DecodeLedgerRepair(body)
	return requests.Event{Type: requests.EventRepaired, By: r.Actor, At: r.Time, Text: r.Reason, BreakGlass: r.BreakGlass}, err
}
