package activity

import (
	"context"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Place is how far what happened was told. Unlike a Cursor it knows epochs, so that a log which begins again, or lacks its end after a restore, leaves
// nothing out that comes then. The zero value is before everything.
type Place struct {
	Log      changelog.Position `json:"log"`
	Sequence uint64             `json:"ledger"` // of the ledger
}

// Behind returns the place behind an item that comes next.
func (p Place) Behind(i Item) Place {
	if i.Event != nil {
		p.Sequence = i.Event.Sequence
	} else {
		p.Log = i.Change.Position()
	}
	return p
}

// reaches reports whether nothing can be between p and end.
func (p Place) reaches(end Place) bool { return !end.Log.Newer(p.Log) && end.Sequence <= p.Sequence }

// mostNews bounds how many items News returns of the log, and how many of the ledger.
const mostNews = 5000

// News returns what happened behind a place and not behind end, oldest first; of very much, the oldest part. whole tells that it was all. Within the log and
// within the ledger the order is theirs; between the two it is that of the clocks of publishers. What happened after until is left for later: of the log or
// the ledger, something older may have come behind end. So until is to be a moment before end was asked for.
func News(ctx context.Context, s Source, after, end Place, until time.Time) (items []Item, whole bool, err error) {
	items, whole, err = news(ctx, s, after, end, mostNews)
	now := time.Now()
	fresh := func(i Item) bool { return i.Time().After(until) && !i.Time().After(now) } // not by a clock that is wrong
	if n := slices.IndexFunc(items, fresh); n >= 0 {
		return items[:n], false, nil
	}
	return items, whole, err
}

func news(ctx context.Context, s Source, after, end Place, most int) (items []Item, whole bool, err error) {
	if after.reaches(end) {
		return nil, true, nil
	}
	changes, allChanges, err := newChanges(ctx, s, after, end, most)
	if err != nil {
		return nil, false, err
	}
	events, allEvents, err := newEvents(ctx, s, after, end, most)
	if err != nil {
		return nil, false, err
	}
	var until time.Time // what is later waits for what was left out
	if !allChanges {
		until = changes[len(changes)-1].Time()
	}
	if last := len(events) - 1; !allEvents && (until.IsZero() || events[last].Time().Before(until)) {
		until = events[last].Time()
	}
	return interleave(changes, events, until), allChanges && allEvents, nil
}

// newChanges returns the oldest changes that are new, oldest first.
func newChanges(ctx context.Context, s Source, after, end Place, most int) (found []Item, all bool, err error) {
	if !end.Log.Newer(after.Log) {
		return nil, true, nil
	}
	newest := newestFirst{most: most, source: s}
	for r, err := range s.Backwards(ctx, end.Log.Revision+1) {
		if err != nil {
			return nil, false, err
		}
		if !r.Position().Newer(after.Log) {
			break
		}
		newest.take(r)
	}
	newest.flush()
	slices.Reverse(newest.found)
	return newest.found, !newest.dropped, nil
}

// newestFirst collects the oldest transactions of those that it is given, newest first.
type newestFirst struct {
	most    int
	source  Source
	open    changelog.Transaction // newest entry first
	found   []Item
	dropped bool
}

func (n *newestFirst) take(r changelog.Record) {
	if len(n.open) > 0 && n.open[0].OpID != r.OpID {
		n.flush()
	}
	n.open = append(n.open, r)
}

// flush ends the transaction that is being read. Of too many, half are given up: those that are newer.
func (n *newestFirst) flush() {
	if len(n.open) == 0 {
		return
	}
	tx := n.open
	n.open = nil
	slices.Reverse(tx)
	item, ok := changeOf(tx, n.source)
	if !ok {
		return
	}
	if n.found = append(n.found, item); len(n.found) > n.most {
		n.dropped = true
		n.found = slices.Clone(n.found[(len(n.found)+1)/2:])
	}
}

// newEvents returns the oldest events that are new, oldest first.
func newEvents(ctx context.Context, s Source, after, end Place, most int) (found []Item, all bool, err error) {
	if end.Sequence <= after.Sequence {
		return nil, true, nil
	}
	for e, err := range s.Events(ctx, after.Sequence+1) {
		switch {
		case err != nil:
			return nil, false, err
		case e.Sequence > end.Sequence:
			return found, true, nil
		case len(found) == most:
			return found, false, nil
		}
		found = append(found, eventOf(e, s))
	}
	return found, true, nil
}

// interleave puts changes and events in the order of their times, and ends at one that is later than until, unless that is zero or nothing came before it.
func interleave(changes, events []Item, until time.Time) []Item {
	var all []Item
	for len(changes)+len(events) > 0 {
		from := &changes
		if len(changes) == 0 || len(events) > 0 && events[0].Time().Before(changes[0].Time()) {
			from = &events
		}
		if len(all) > 0 && !until.IsZero() && (*from)[0].Time().After(until) {
			break
		}
		all = append(all, (*from)[0])
		*from = (*from)[1:]
	}
	return all
}
