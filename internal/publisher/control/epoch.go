package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// EventEpochBegun tells that a new epoch is about to be written, by whom, why, and what it changes. An EventApplied with the same request id
// follows when it was.
const EventEpochBegun EventType = "epoch.begun"

// Bounds of the documents that an EventEpochBegun names.
const (
	maxNamed      = 500
	maxNamedBytes = 64 << 10
)

// NewEpoch is a state that is to be written as a new epoch of the log, whatever the log holds. No approval can be asked for, because the log
// that would take it may be gone: unless nothing changes, it takes breaking the glass, and permission for every document that is touched.
type NewEpoch struct {
	// Wanted has the documents of the new epoch.
	Wanted State
	// Held is what is known here of the environment; without documents if nothing is.
	Held State
	// Newest tells that Held is the newest state there was, as far as anything here tells. Otherwise every document counts as touched.
	Newest bool
	// After is the newest position of the log that anything here tells of. Begin sets it, and clears Newest if that is newer than Held.
	After       changelog.Position
	Restoration Restoration
	DryRun      bool
	BreakGlass  bool
	// Ledger returns the ledger, whatever has become of the log.
	Ledger func(context.Context) (Journal, error)
	// Write calls begun when the streams are there, and writes the epoch as Begin has decided it if that succeeds. The position is zero unless
	// it was written.
	Write func(ctx context.Context, n NewEpoch, begun func(context.Context) error) (changelog.Position, error)
}

// Begin begins a new epoch. What is about to be done is recorded in the ledger before anything is written, and afterwards that it was.
func (s *Service) Begin(ctx context.Context, o Origin, n NewEpoch) (Restored, error) {
	if s.options.ReadOnly != "" && !o.Owner {
		return Restored{}, &Refusal{Cause: CauseReadOnly, Detail: s.options.ReadOnly}
	}
	if err := o.Validate(); err != nil {
		return Restored{}, err
	}
	if err := s.refreshFrom(ctx, n.Ledger); err != nil && !errors.Is(err, flagsync.ErrStreamLost) { // a stream that is gone comes with the epoch
		return Restored{}, err
	}
	n = n.after(s.newest())
	out, event, err := s.decideEpoch(o, n)
	if n.DryRun {
		out.Preview.Refused, _ = errors.AsType[*Refusal](err)
		return out, nil
	}
	if err != nil {
		s.noteRefused(ctx, o, err)
		return out, err
	}
	position, err := n.Write(ctx, n, func(ctx context.Context) error { return s.recordIn(ctx, n.Ledger, event) })
	if !position.IsZero() {
		err = errors.Join(err, s.recordIn(ctx, n.Ledger, Event{Type: EventApplied, Request: event.Request, At: time.Now().UTC(), Position: &position}))
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

// after takes into account which position of the log the ledger names: what was applied behind Held is missing in it.
func (n NewEpoch) after(recorded changelog.Position) NewEpoch {
	n.Newest = n.Newest && !recorded.Newer(n.Held.Position())
	for _, p := range []changelog.Position{n.Held.Position(), n.Restoration.Snapshot, recorded} {
		if p.Newer(n.After) {
			n.After = p
		}
	}
	return n
}

// decideEpoch tells what a new epoch changes, and returns the event that it begins with.
func (s *Service) decideEpoch(o Origin, n NewEpoch) (Restored, Event, error) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	w := s.world(o, n.Held)
	changes := newTransfer(n.Held, wanted(n.Held, n.Wanted))
	touched := changes.Changes
	if !n.Newest {
		touched = everything(n)
	}
	k := w.ask(s.ledger.governance, touched)
	r := n.Restoration
	r.NewEpoch, r.State, r.Documents = true, n.Wanted.State().Digest(), len(changes.Changes)
	if r.Before = n.Held.Position(); !r.Before.IsZero() {
		r.BeforeState = n.Held.State().Digest()
	}
	out := Restored{Restoration: r, Preview: Preview{Differences: changes.Differences(n.Held), Risk: k.circumstances.Risk}}
	p := &Proposal{
		Changes: named(touched), Epoch: r.Before.Epoch, Expires: w.Now.UTC(), Risk: RiskRecord(k.circumstances.Risk),
		BreakGlass: n.BreakGlass, Author: authorOf(o.actor(), o.Principal), Restores: &r,
	}
	event := Event{
		Type: EventEpochBegun, By: o.actor(), At: w.Now.UTC(), Request: rand.Text(), Text: o.Reason, Position: &r.Before, Proposal: p,
	}
	err := w.ask(s.ledger.governance, nil).must(access.Administer)
	if err == nil && (!n.Newest || len(changes.Changes) > 0) {
		err = k.mustBegin(o, n)
	}
	return out, event, err
}

// everything returns all documents of a new epoch, and those that it lacks as deletions.
func everything(n NewEpoch) []document.Document {
	all := wanted(n.Held, n.Wanted)
	list := make([]document.Document, 0, len(all))
	for _, d := range all {
		list = append(list, d)
	}
	return list
}

// named returns the names of some documents, as many as a record has room for.
func named(documents []document.Document) []DocumentChange {
	list, size := []DocumentChange{}, 0
	for _, d := range documents {
		if size += len(d.Key); len(list) == maxNamed || size > maxNamedBytes {
			break
		}
		list = append(list, DocumentChange{Kind: d.Kind, Key: d.Key})
	}
	return list
}

// mustBegin refuses a new epoch that changes documents to anyone who may not change each of them without approvals.
func (k *inquiry) mustBegin(o Origin, n NewEpoch) error {
	if !n.BreakGlass {
		detail := "The log cannot take approvals now, and documents would change: begin the new epoch by breaking the glass, with a reason."
		if !n.Newest {
			detail = "It is not certain that what this publisher holds is the newest state, so that changes may be lost: " +
				"begin the new epoch by breaking the glass, with a reason."
		}
		return &Refusal{Cause: CauseBreakGlass, Action: &RefusedAction{Action: access.BreakGlass}, Detail: detail, Risk: k.circumstances.Risk}
	}
	if o.Reason == "" {
		return &Refusal{Cause: CauseMalformed, Detail: "Breaking the glass needs a reason."}
	}
	k.circumstances.BreakGlass = true
	if err := k.must(access.BreakGlass); err != nil {
		return err
	}
	if refusal := k.among(puts).refused(access.Change); refusal != nil {
		return refusal
	}
	if refusal := k.among(deletions).refused(access.Archive); refusal != nil {
		return refusal
	}
	return nil
}

// recordIn records an event in a ledger whatever has become of the log.
func (s *Service) recordIn(ctx context.Context, open func(context.Context) (Journal, error), e Event) error {
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

// newEpoch reports whether the request is the record of a new epoch, and not of a transaction.
func (p *Proposal) newEpoch() bool { return p.Restores != nil && p.Restores.NewEpoch }

// beginEpoch is what a new epoch is that was begun: failed, until the ledger tells that it was written.
func (r Request) beginEpoch(e Event) (Request, error) {
	if e.Proposal == nil || !e.Proposal.newEpoch() {
		return r, fmt.Errorf("%s of request %q does not say what is begun", e.Type, e.Request)
	}
	r.ID, r.Opened, r.Reason = e.Request, e.At, e.Text
	r.Status, r.Proposal, r.Hash = Failed, e.Proposal, e.Proposal.Hash()
	r.Claim = Claim{By: e.By, At: e.At}
	if e.Position != nil { // which is not known where nothing of the environment is
		r.Claim.Position = *e.Position
	}
	r.Outcome = Remark{At: e.At, Text: "The new epoch was begun, and it is not recorded that it was completed: look at the environment, and repeat it if it was not."}
	return r, nil
}
