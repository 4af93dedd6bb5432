package changelog

import "time"

const (
	// heartbeatWindow is how much older than the last heartbeat the first one of
	// another publisher may be.
	heartbeatWindow = time.Minute
	// knownPublishers bounds what is remembered of publishers' processes.
	knownPublishers = 64
)

// HeartbeatLog recognizes heartbeats that came before. Those of one process are
// counted; the first of a process has a time that is not much older than that of
// the last heartbeat. The zero value has heard none. It is not safe for concurrent use.
type HeartbeatLog struct {
	counts map[string]uint64 // by publisher's process
	newest time.Time         // of the last that counted
}

// IsNews reports whether a heartbeat counts, and takes note of it if it does.
func (l *HeartbeatLog) IsNews(h Heartbeat) bool {
	last, known := l.counts[h.By]
	switch {
	case known && h.N <= last:
		return false
	case !known && h.Time.Before(l.newest.Add(-heartbeatWindow)):
		return false
	}
	if l.counts == nil || !known && len(l.counts) >= knownPublishers {
		l.counts = make(map[string]uint64) // the window keeps the old ones out
	}
	l.counts[h.By] = h.N
	l.newest = h.Time
	return true
}
