package activity

// merge puts changes and events in one order, newest first, and cuts them to a page.
func (q Query) merge(changes, events []Item, floor scanFloor) Page {
	next, page := q.Before, Page{Newest: q.After}
	for len(changes)+len(events) > 0 {
		from := &changes
		if len(changes) == 0 || len(events) > 0 && !events[0].Time().Before(changes[0].Time()) {
			from = &events
		}
		item := (*from)[0]
		if len(changes) == 0 && floor.revision != 0 && item.Time().Before(floor.at) {
			break // changes that were not looked at may be newer
		}
		if len(page.Items) == q.Limit {
			page.Next = next
			return page
		}
		*from = (*from)[1:]
		page.Items = append(page.Items, item)
		next = item.before(next)
		page.Newest = page.Newest.Max(item.end())
	}
	if floor.revision != 0 {
		page.Next = Cursor{Revision: floor.revision, Sequence: next.Sequence}
	}
	return page
}

// before returns the cursor before an item, where that before the other kind stays.
func (i Item) before(c Cursor) Cursor {
	if i.Event != nil {
		c.Sequence = i.place.Sequence
	} else {
		c.Revision = i.place.Revision
	}
	return c
}

// end returns the place behind an item.
func (i Item) end() Cursor {
	if i.Event != nil {
		return Cursor{Sequence: i.Event.Sequence}
	}
	return Cursor{Revision: i.Change.Position().Revision}
}
