package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Errors of Acts.
var (
	// ErrActsNotReady means that the acts were not read yet; try again.
	ErrActsNotReady = errors.New("the records of CONTROL were not read yet")
	// ErrActUnknown means that CONTROL has no such act.
	ErrActUnknown = errors.New("CONTROL has no such record")
	// ErrNoReview means that an act needs no review, or no longer.
	ErrNoReview = errors.New("it needs no review")
	// ErrOwnAct means that the reviewer has done it, or has a token that was made with that of who has.
	ErrOwnAct = errors.New("you cannot review your own act: ask another person to")
)

// Acts are what was done to the installation: the records of CONTROL but for those that give persons their ids. Publishers share them. It is
// safe for concurrent use.
type Acts struct {
	records

	all    []Act            // in the order of their sequences; guarded by mu
	policy changelog.Digest // recorded last; guarded by mu
}

// NewActs returns no acts yet; Run reads them.
func NewActs() *Acts {
	a := &Acts{}
	a.about, a.take, a.forget = "the acts in CONTROL", a.takeRecord, a.forgetActs
	return a
}

// Run reads the acts and keeps them current until ctx ends, which is no error.
func (a *Acts) Run(ctx context.Context, journal Journal) error { return a.run(ctx, journal) }

// forgetActs is called when the journal was repaired and is read again; a.mu must be held.
func (a *Acts) forgetActs() { a.all, a.policy = nil, changelog.Digest{} }

// takeRecord adds a record; a.mu must be held.
func (a *Acts) takeRecord(r writer.Record) error {
	act, ok, err := DecodeAct(r)
	if err != nil || !ok {
		return err
	}
	switch act.Type {
	case PolicyChanged:
		a.policy = act.Digest
	case ActReviewed:
		if i, ok := a.index(act.Reviews); ok && a.all[i].ReviewOpen() {
			a.all[i].Reviewer = act.Actor
		}
	}
	a.all = append(a.all, act)
	return nil
}

// index returns where the act with a sequence stands; a.mu must be held.
func (a *Acts) index(sequence uint64) (int, bool) {
	return slices.BinarySearchFunc(a.all, sequence, func(act Act, sequence uint64) int { return cmp.Compare(act.Sequence, sequence) })
}

// List returns all acts that were recorded before the call, the oldest first. The error is ErrActsNotReady, or one of writer.Ledger. The
// caller owns the slice.
func (a *Acts) List(ctx context.Context) ([]Act, error) {
	if !a.ready() {
		return nil, ErrActsNotReady
	}
	if err := a.catchUp(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all), nil
}

// Find returns the act with a sequence. One that is newer than what is known here is looked for in the journal; without an answer it is not
// found.
func (a *Acts) Find(ctx context.Context, sequence uint64) (Act, bool) {
	if a.ready() && sequence >= a.next() {
		_ = a.catchUp(ctx) // what is known stays known
	}
	return a.known(sequence)
}

// known returns the act with a sequence, as far as it is known here.
func (a *Acts) known(sequence uint64) (Act, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, ok := a.index(sequence)
	if !ok {
		return Act{}, false
	}
	return a.all[i], true
}

// NotePolicy records that this publisher, on a host, enforces the policies with a digest, unless that was recorded last. Cause is what made
// it read them: its start, or a reload.
func (a *Acts) NotePolicy(ctx context.Context, digest changelog.Digest, host, cause string) error {
	if !a.ready() {
		return ErrActsNotReady
	}
	return a.append(ctx, func() (any, error) {
		if a.policyRecorded() == digest {
			return nil, nil //nolint:nilnil // there is nothing to record
		}
		return actRecord{Type: PolicyChanged, Time: time.Now().UTC(), Digest: digest, Publisher: host, Cause: cause}, nil
	})
}

func (a *Acts) policyRecorded() changelog.Digest {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.policy
}

// Review records that a reviewer, who must have been permitted to, has looked at an act that went without the consent that policies want.
// line returns the principals that a token was made by. The error is ErrActUnknown, ErrNoReview, ErrOwnAct, ErrActsNotReady, or one of
// writer.Ledger.
func (a *Acts) Review(ctx context.Context, reviewer Principal, line func(string) []string, sequence uint64, reason string) (Act, error) {
	if !a.ready() {
		return Act{}, ErrActsNotReady
	}
	err := a.append(ctx, func() (any, error) {
		act, known := a.known(sequence)
		switch {
		case !known:
			return nil, fmt.Errorf("%w: %d", ErrActUnknown, sequence)
		case !act.ReviewOpen():
			return nil, fmt.Errorf("record %d of CONTROL: %w", sequence, ErrNoReview)
		case act.Actor == reviewer.ID, slices.Contains(line(reviewer.ID), act.Actor):
			return nil, ErrOwnAct
		}
		return actRecord{Type: ActReviewed, Time: time.Now().UTC(), Actor: reviewer.ID, Why: Why{Reason: reason}, Reviews: sequence}, nil
	})
	act, _ := a.known(sequence)
	return act, err
}
