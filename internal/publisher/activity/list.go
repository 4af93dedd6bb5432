package activity

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// Source is where an environment keeps what happened. A *control.Service is one.
type Source interface {
	// Backwards returns the changes before a revision, newest first; zero is the end of the log.
	Backwards(ctx context.Context, before uint64) iter.Seq2[changelog.Record, error]
	// History returns the changes of one document, oldest first.
	History(ctx context.Context, id document.ID) iter.Seq2[changelog.Record, error]
	// Events returns what the ledger says from a sequence on, oldest first.
	Events(ctx context.Context, from uint64) iter.Seq2[control.RecordedEvent, error]
	// RequestDocuments returns the documents that a change request changes.
	RequestDocuments(id string) []document.ID
	// RequestBreaksGlass reports whether a change request goes without approvals.
	RequestBreaksGlass(id string) bool
}

// Query says what is asked for. Its zero value asks for nothing, because Limit is how many items there are at most.
type Query struct {
	Actor string      // only what this principal did, by its opaque id; empty is all
	About document.ID // only what concerns this document; zero is all
	Since time.Time   // only what happened then or later; zero is any time
	Until time.Time   // only what happened before; zero is any time
	Limit int

	Before Cursor // only what is before it; zero is everything
	After  Cursor // only what is behind it; zero is everything
}

// Item is something that happened: a transaction of the log, or an event of the ledger, without the bodies of documents.
type Item struct {
	Change    changelog.Transaction  // nil for an event
	Event     *control.RecordedEvent // nil for a change
	Documents []document.ID          // that it is about
	// BreaksGlass tells of a change that it went without the approvals that policies want.
	BreaksGlass bool

	place Cursor // the member that counts for its kind
}

// Time returns when it happened, by the clock of the publisher that wrote it.
func (i Item) Time() time.Time {
	if i.Event != nil {
		return i.Event.At
	}
	return i.Change[len(i.Change)-1].Time
}

// Actor returns the opaque id of who did it.
func (i Item) Actor() string {
	if i.Event != nil {
		return i.Event.By
	}
	return i.Change[0].Actor
}

// Page is a part of the activity, newest first.
type Page struct {
	Items  []Item
	Next   Cursor // the next page is before it; zero at the end
	Newest Cursor // of the items, as far as there are any; of After otherwise
}

// maxScanned bounds how many entries of the log are looked at for one page. What is left is on the next.
const maxScanned = 20_000

// List returns what a query asks for, newest first. Within the log and within the ledger the order is theirs; between the two it is that
// of the clocks of publishers.
func List(ctx context.Context, s Source, q Query) (Page, error) {
	events, err := q.events(ctx, s)
	if err != nil {
		return Page{}, err
	}
	changes, floor, err := q.changes(ctx, s)
	if err != nil {
		return Page{}, err
	}
	return q.merge(changes, events, floor), nil
}

// selects reports whether an item is asked for, wherever it stands.
func (q Query) selects(i Item) bool {
	at := i.Time()
	return (q.Actor == "" || q.Actor == i.Actor()) &&
		(q.About == document.ID{} || slices.Contains(i.Documents, q.About)) &&
		(q.Since.IsZero() || !at.Before(q.Since)) &&
		(q.Until.IsZero() || at.Before(q.Until))
}

// events returns the newest events that are asked for, newest first, one more than the limit at most.
func (q Query) events(ctx context.Context, s Source) ([]Item, error) {
	var newest []Item
	for e, err := range s.Events(ctx, q.After.Sequence+1) {
		if err != nil {
			return nil, err
		}
		if q.Before.Sequence != 0 && e.Sequence >= q.Before.Sequence {
			break
		}
		item := eventOf(e, s)
		if !q.selects(item) {
			continue
		}
		if newest = append(newest, item); len(newest) > q.Limit+1 {
			newest = newest[1:]
		}
	}
	slices.Reverse(newest)
	return newest, nil
}

// eventOf returns the item of an event.
func eventOf(e control.RecordedEvent, s Source) Item {
	e.Proposal = e.Proposal.WithoutBodies()
	return Item{Event: &e, Documents: documentsOf(e, s), place: Cursor{Sequence: e.Sequence}}
}

// documentsOf returns what an event is about.
func documentsOf(e control.RecordedEvent, s Source) []document.ID {
	switch {
	case e.Refusal != nil && e.Refusal.Kind != "":
		return []document.ID{{Kind: document.Kind(e.Refusal.Kind), Key: e.Refusal.Key}}
	case len(e.Flags) > 0:
		ids := make([]document.ID, len(e.Flags))
		for i, f := range e.Flags {
			ids[i] = document.ID{Kind: document.KindFlag, Key: f.Key}
		}
		return ids
	case e.Request != "":
		return s.RequestDocuments(e.Request)
	default:
		return nil
	}
}
