package control

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Transfer makes documents what they are elsewhere: in another environment, or at an earlier revision. Like a Replace it is divided
// when it is too large for one transaction, and one that was interrupted is completed by repeating it.
type Transfer struct {
	// Changes are the wanted documents. Those with a nil Body are deleted.
	Changes []document.Document
	// Bases are the revisions that the author has seen, in the epoch. A document that moved is refused unless it is as wanted already.
	Epoch changelog.Epoch
	Bases []Base
	// Source names what the transfer was derived from, so that deriving it again with an idempotency key is the same command, although the
	// changes that are left to make may be others. Empty means that the changes themselves tell.
	Source string
}

// Difference is a document that a Transfer changes; nil is none.
type Difference struct {
	ID            document.ID
	Before, After []byte
}

// Promote returns the transfer that makes documents of one environment what they are in another, with all that they depend on there. Of
// these documents, one that is not in the source is deleted; what they depend on is added and changed only.
func Promote(source, target State, ids []document.ID) Transfer {
	wanted := make(map[document.ID]document.Document)
	var want func(id document.ID)
	want = func(id document.ID) {
		if _, ok := wanted[id]; ok {
			return
		}
		d, exists := source.Document(id)
		if !exists && !slices.Contains(ids, id) {
			return
		}
		wanted[id] = document.Document{Kind: id.Kind, Key: id.Key, Body: d.Body}
		for _, needed := range source.Rules().Dependencies(id) {
			want(needed)
		}
	}
	for _, id := range ids {
		want(id)
	}
	return newTransfer(target, wanted)
}

// newTransfer returns the transfer of the documents, without those that the target has already.
func newTransfer(target State, wanted map[document.ID]document.Document) Transfer {
	t := Transfer{Epoch: target.Position().Epoch}
	for _, id := range slices.SortedFunc(maps.Keys(wanted), document.ID.Compare) {
		live, exists := target.Document(id)
		d := wanted[id]
		if d.Body == nil && !exists || d.Body != nil && exists && bytes.Equal(live.Body, d.Body) {
			continue
		}
		t.Changes = append(t.Changes, document.Document{Kind: id.Kind, Key: id.Key, Body: d.Body})
		t.Bases = append(t.Bases, Base{Kind: id.Kind, Key: id.Key, Revision: live.Revision})
	}
	return t
}

// Differences returns what the transfer changes in a state.
func (t Transfer) Differences(s State) []Difference {
	var list []Difference
	for _, d := range t.missing(s) {
		live, _ := s.Document(d.ID())
		list = append(list, Difference{ID: d.ID(), Before: live.Body, After: d.Body})
	}
	return list
}

// missing returns the changes that a state does not have yet.
func (t Transfer) missing(s State) []document.Document {
	var list []document.Document
	for _, d := range t.Changes {
		live, exists := s.Document(d.ID())
		if d.Body == nil && exists || d.Body != nil && !(exists && bytes.Equal(live.Body, d.Body)) {
			list = append(list, d)
		}
	}
	return list
}

func (t Transfer) decide(s State) (Decision, error) {
	if err := t.check(s); err != nil {
		return Decision{}, err
	}
	missing := t.missing(s)
	if len(missing) == 0 {
		return Decision{}, nil
	}
	after, problems, warnings := candidate(s.Rules(), missing)
	if len(problems) > 0 {
		return Decision{}, &Refusal{Cause: CauseInvalid, Detail: "The documents cannot be published as they are.", Problems: problems}
	}
	if len(missing) <= changelog.MaxEntries {
		return Decision{Parts: [][]document.Document{missing}, Warnings: warnings}, nil
	}
	parts, err := divide(s.Rules(), after, inDependencyOrder(s, after, missing), changelog.MaxEntries)
	return Decision{Parts: parts, Warnings: warnings}, err
}

// check refuses what its author has not seen as it is.
func (t Transfer) check(s State) error {
	if s.Position().Epoch != t.Epoch {
		return &Refusal{Cause: CausePreconditionFailed, Detail: "The environment was restored or recreated since: look at it again."}
	}
	seen := make(map[document.ID]bool, len(t.Changes))
	for _, d := range t.Changes {
		if d.Body == nil { // a deletion has no more to be looked at than its name
			d.Body = []byte("null")
		}
		if err := acceptable(d.ID(), d.Body, seen[d.ID()]); err != nil {
			return err
		}
		seen[d.ID()] = true
	}
	missing := make(map[document.ID]bool)
	for _, d := range t.missing(s) {
		missing[d.ID()] = true
	}
	for _, b := range moved(s, t.Bases) {
		if missing[b.id()] {
			return &Refusal{
				Cause: CausePreconditionFailed, Moved: moved(s, t.Bases),
				Detail: fmt.Sprintf("The %s %q was changed since: look at it again.", b.Kind, b.Key),
			}
		}
	}
	return nil
}

// RollBack returns the transfer that makes one document what it was at a revision, or all documents when the id is zero. It is a new
// change: what came between stays in the history.
func (s *Service) RollBack(ctx context.Context, id document.ID, to changelog.Token) (Transfer, error) {
	state, err := s.Current(ctx)
	if err != nil {
		return Transfer{}, err
	}
	at := state.Position()
	if !to.In(at.Epoch) || to.Revision == 0 || to.Revision > at.Revision {
		return Transfer{}, &Refusal{Cause: CauseNotKnown, Detail: fmt.Sprintf("The environment has no revision %s.", to)}
	}
	past, err := s.past(ctx, id, to)
	if err != nil {
		return Transfer{}, err
	}
	if id != (document.ID{}) {
		if _, ok := past[id]; !ok {
			past[id] = document.Document{Kind: id.Kind, Key: id.Key}
		}
		return newTransfer(state, past), nil
	}
	for live := range state.Documents() {
		if _, ok := past[live.ID()]; !ok {
			past[live.ID()] = document.Document{Kind: live.Kind, Key: live.Key}
		}
	}
	return newTransfer(state, past), nil
}

// past returns the documents as they were at a revision: one, or all when the id is zero.
func (s *Service) past(ctx context.Context, id document.ID, to changelog.Token) (map[document.ID]document.Document, error) {
	log, err := s.options.Log(ctx)
	if err != nil {
		return nil, err
	}
	if id == (document.ID{}) {
		return replay(log.Read(ctx, changelog.Position{}, to.Revision))
	}
	var newest changelog.Record
	for r, err := range log.History(ctx, id) {
		if err != nil {
			return nil, fmt.Errorf("roll back: %w", err)
		}
		if r.Revision > to.Revision {
			break
		}
		newest = r
	}
	switch {
	case newest.Revision == 0 || newest.Delete:
		return map[document.ID]document.Document{}, nil
	case to.In(newest.Epoch):
		return map[document.ID]document.Document{id: newest.Document()}, nil
	}
	all, err := replay(log.Read(ctx, changelog.Position{}, to.Revision)) // a state that began anew may not have it
	maps.DeleteFunc(all, func(other document.ID, _ document.Document) bool { return other != id })
	return all, err
}

// replay returns the documents that records from the first on add up to.
func replay(records iter.Seq2[changelog.Record, error]) (map[document.ID]document.Document, error) {
	documents := make(map[document.ID]document.Document)
	for r, err := range records {
		switch {
		case err != nil:
			return nil, fmt.Errorf("roll back: %w", err)
		case r.Renews():
			clear(documents)
		case r.Kind == document.KindKeys:
			continue // whatever the flags were: who signs does not go back
		}
		delete(documents, r.ID())
		if r.Put != nil {
			documents[r.ID()] = r.Document()
		}
	}
	return documents, nil
}
