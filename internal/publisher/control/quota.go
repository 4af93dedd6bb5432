package control

import (
	"fmt"
	"time"
)

// DefaultLedgerBytes is how many bytes one principal may add to a ledger in a day (UTC).
const DefaultLedgerBytes = 16 << 20

// writtenToday counts what principals have added to a ledger on the newest day that it knows. The zero value has counted nothing.
type writtenToday struct {
	day   int64 // since 1970, UTC
	bytes map[string]int
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// add counts an event that someone has written of their own accord. Those that end something are free.
func (w *writtenToday) add(e Event) {
	day := dayOf(e.At)
	if !e.Type.counts() || day < w.day {
		return
	}
	if day > w.day || w.bytes == nil {
		*w = writtenToday{day: day, bytes: make(map[string]int)}
	}
	w.bytes[e.By] += e.size
}

// counts reports whether an event counts against the quota of who wrote it.
func (t EventType) counts() bool {
	switch t {
	case EventOpened, EventRebased, EventCommented, EventRisk:
		return true
	default:
		return false
	}
}

// verify refuses an event of so many bytes that exceeds what its author may add to the ledger in a day; a limit of 0 is none.
func (w *writtenToday) verify(e Event, size, limit int) error {
	if limit == 0 || !e.Type.counts() {
		return nil
	}
	before := 0
	if dayOf(e.At) == w.day {
		before = w.bytes[e.By]
	}
	if before+size <= limit {
		return nil
	}
	return &Refusal{
		Cause: CauseTooMany,
		Detail: fmt.Sprintf("You have written %d bytes of change requests and comments today, and this has %d more; at most %d a day are allowed: "+
			"go on tomorrow, or ask an operator to raise --ledger-bytes.", before, size, limit),
	}
}
