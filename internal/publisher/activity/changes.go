package activity

import (
	"context"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// scan collects the changes of a page, newest first.
type scan struct {
	query   Query
	source  Source
	open    changelog.Transaction // newest entry first
	found   []Item
	scanned int
	floor   scanFloor
}

// scanFloor is where a scan ended before everything was looked at. The zero value is nowhere.
type scanFloor struct {
	revision uint64
	at       time.Time
}

// changes returns the newest changes that are asked for, newest first, one more than the limit at most, and where it gave up.
func (q Query) changes(ctx context.Context, s Source) ([]Item, scanFloor, error) {
	if q.About != (document.ID{}) {
		found, err := q.changesOf(ctx, s)
		return found, scanFloor{}, err
	}
	c := scan{query: q, source: s}
	for r, err := range s.Backwards(ctx, q.Before.Revision) {
		if err != nil {
			return nil, scanFloor{}, err
		}
		if r.Revision <= q.After.Revision || c.over(r) {
			break
		}
		c.take(r)
	}
	c.flush()
	return c.found, c.floor, nil
}

// clockSkew is how much older than an entry a later one may say it is.
const clockSkew = 10 * time.Minute

// over reports whether nothing that follows belongs to the page. A transaction is never cut.
func (c *scan) over(next changelog.Record) bool {
	if len(c.open) > 0 && c.open[0].OpID == next.OpID {
		return false
	}
	c.flush()
	switch {
	case len(c.found) > c.query.Limit:
		return true
	case !c.query.Since.IsZero() && next.Time.Before(c.query.Since.Add(-clockSkew)):
		return true
	case c.scanned >= maxScanned:
		c.floor = scanFloor{revision: next.Revision + 1, at: next.Time}
		return true
	}
	return false
}

func (c *scan) take(r changelog.Record) {
	c.scanned++
	c.open = append(c.open, r)
}

// flush ends the transaction that is being read.
func (c *scan) flush() {
	if len(c.open) == 0 {
		return
	}
	tx := c.open
	c.open = nil
	slices.Reverse(tx)
	if item, ok := changeOf(tx, c.source); ok && c.query.selects(item) {
		c.found = append(c.found, item)
	}
}

// changesOf returns the changes of the document that is asked for, with the others of their transactions left out.
func (q Query) changesOf(ctx context.Context, s Source) ([]Item, error) {
	var newest []Item
	for r, err := range s.History(ctx, q.About) {
		if err != nil {
			return nil, err
		}
		if q.Before.Revision != 0 && r.Revision >= q.Before.Revision {
			break
		}
		r.Put = nil
		item, ok := changeOf(changelog.Transaction{r}, s)
		if !ok || r.Revision <= q.After.Revision || !q.selects(item) {
			continue
		}
		if newest = append(newest, item); len(newest) > q.Limit+1 {
			newest = newest[1:]
		}
	}
	slices.Reverse(newest)
	return newest, nil
}

// changeOf returns the item of a transaction. The entries that begin an epoch are none: restoring and recreating is told by the ledger.
func changeOf(tx changelog.Transaction, s Source) (Item, bool) {
	if tx[0].Kind == document.KindEpoch {
		return Item{}, false
	}
	item := Item{
		Change: tx, place: Cursor{Revision: tx[0].Revision}, BreaksGlass: tx[0].Request != "" && s.RequestBreaksGlass(tx[0].Request),
	}
	for _, r := range tx {
		item.Documents = append(item.Documents, r.ID())
	}
	return item, true
}
