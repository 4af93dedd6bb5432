package requests

import (
	"time"
)

// writtenToday counts what principals have added to a ledger on the newest day that it knows. The zero value has counted nothing.
type writtenToday struct {
	day   int64 // since 1970, UTC
	bytes map[string]int
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// add counts an event that its author was free to write. Those that end something are not counted.
func (w *writtenToday) add(e Event) {
	day := dayOf(e.At)
	if !e.Type.Counts() || day < w.day {
		return
	}
	if day > w.day || w.bytes == nil {
		*w = writtenToday{day: day, bytes: make(map[string]int)}
	}
	w.bytes[e.By] += e.size
}

// Counts reports whether an event counts against the quota of who wrote it.
func (t EventType) Counts() bool {
	switch t {
	case EventOpened, EventRebased, EventCommented, EventRisk, EventLifecycle:
		return true
	default:
		return false
	}
}

// of returns how many bytes were counted of those who write an event, on its day.
func (w *writtenToday) of(e Event) int {
	if !e.Type.Counts() || dayOf(e.At) != w.day {
		return 0
	}
	return w.bytes[e.By]
}
