package control

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// NewEpoch is an epoch of the log that is to begin.
type NewEpoch struct {
	decide.Epoch

	DryRun bool
	// Ledger returns the ledger, whatever has become of the log.
	Ledger func(context.Context) (Ledger, error)
	// Write calls begun when the streams are there, and writes the epoch as Begin has decided it if that succeeds. The position is zero unless
	// it was written.
	Write func(ctx context.Context, n decide.Epoch, begun func(context.Context) error) (changelog.Position, error)
}

// Begin begins a new epoch. What is about to be done is recorded in the ledger before anything is written, and afterwards that it was.
func (s *Service) Begin(ctx context.Context, o decide.Origin, n NewEpoch) (Restored, error) {
	if err := s.validate(o); err != nil {
		return Restored{}, err
	}
	if err := s.refreshFrom(ctx, n.Ledger); err != nil && !errors.Is(err, flagsync.ErrStreamLost) { // a stream that is gone comes with the epoch
		return Restored{}, err
	}
	n.Epoch = n.Behind(s.newest())
	out, event, err := s.decideEpoch(o, n.Epoch)
	if n.DryRun {
		out.Preview.Refused, _ = errors.AsType[*decide.Refusal](err)
		return out, nil
	}
	if err != nil {
		s.noteRefused(ctx, o, err)
		return out, err
	}
	position, err := n.Write(ctx, n.Epoch, func(ctx context.Context) error { return s.recordIn(ctx, n.Ledger, event) })
	if !position.IsZero() {
		err = errors.Join(err, s.recordIn(ctx, n.Ledger, requests.Event{Type: requests.EventApplied, Request: event.Request, At: s.options.Now().UTC(), Position: &position}))
	}
	out.Request, _ = s.known(event.Request)
	return out, err
}

// newest returns the newest position of the log that the ledger names, as far as it is known here.
func (s *Service) newest() changelog.Position {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Newest()
}

// decideEpoch tells what a new epoch changes, and returns the event that it begins with.
func (s *Service) decideEpoch(o decide.Origin, n decide.Epoch) (Restored, requests.Event, error) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	preview, event, err := decide.NewEpoch(s.ledger.governance, s.input(o, n.Held), n, rand.Text())
	return Restored{Restoration: *event.Proposal.Restores, Preview: preview}, event, err
}

// recordIn records an event in a ledger whatever has become of the log.
func (s *Service) recordIn(ctx context.Context, open func(context.Context) (Ledger, error), e requests.Event) error {
	for {
		if err := s.refreshFrom(ctx, open); err != nil {
			return err
		}
		journal, err := open(ctx)
		if err != nil {
			return err
		}
		_, err = recordAfter(ctx, journal, s.ledger.sequence(), e)
		switch {
		case err == nil:
			return s.refreshFrom(ctx, open)
		case !errors.Is(err, writer.ErrConflict):
			return err
		case ctx.Err() != nil:
			return ErrContended
		}
	}
}
