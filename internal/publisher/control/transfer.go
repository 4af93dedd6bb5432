package control

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
)

// RollBack returns the transfer that makes one document what it was at a revision, or all documents when the id is zero. It is a new
// change: what came between stays in the history.
func (s *Service) RollBack(ctx context.Context, id document.ID, to changelog.Token) (decide.Transfer, error) {
	state, err := s.Current(ctx)
	if err != nil {
		return decide.Transfer{}, err
	}
	at := state.Position()
	if !to.In(at.Epoch) || to.Revision == 0 || to.Revision > at.Revision {
		return decide.Transfer{}, &decide.Refusal{Cause: decide.CauseNotKnown, Detail: fmt.Sprintf("The environment has no revision %s.", to)}
	}
	past, err := s.past(ctx, id, to)
	if err != nil {
		return decide.Transfer{}, err
	}
	if id != (document.ID{}) {
		if _, ok := past[id]; !ok {
			past[id] = document.Document{Kind: id.Kind, Key: id.Key}
		}
		return decide.NewTransfer(state, past), nil
	}
	for live := range state.Documents() {
		if _, ok := past[live.ID()]; !ok {
			past[live.ID()] = document.Document{Kind: live.Kind, Key: live.Key}
		}
	}
	return decide.NewTransfer(state, past), nil
}

// past returns the documents as they were at a revision: one, or all when the id is zero.
func (s *Service) past(ctx context.Context, id document.ID, to changelog.Token) (map[document.ID]document.Document, error) {
	log, err := s.options.Store.Log(ctx)
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
	all, err := replay(log.Read(ctx, changelog.Position{}, to.Revision)) // a state that began again may not have it
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
		case r.ReplacesEpoch():
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
