package follow

import (
	"errors"
	"time"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Many followers may begin at the same moment, when a cluster comes up. Each
// reads the less at once and pauses the longer, the slower it is answered, so
// that servers get no more to do than they can, and one follower that is alone
// hardly waits.
const (
	// coldJitter is how long a follower that holds nothing may wait before its
	// first read.
	coldJitter = 20 * time.Millisecond

	// An answer within these is as quick as one can expect it.
	quickProbe = 10 * time.Millisecond
	quickRead  = 50 * time.Millisecond
	// slowRead is what shows that too much was asked for.
	slowRead = 500 * time.Millisecond

	// backpressureMost bounds a pause after a slow answer.
	backpressureMost = 3 * time.Second
)

// backpressure returns how long to wait after an answer that took so long: at random
// up to so many times as long, and not at all after a quick one.
func backpressure(took, quick time.Duration, times int) time.Duration {
	if took <= quick {
		return 0
	}
	return jetstream.Jitter(0, min(time.Duration(times)*took, backpressureMost))
}

// readSize is how many bytes a read asks for: few at first, twice as many after
// a quick answer, half as many after a slow one or none. The zero value begins.
type readSize int

const (
	firstRead readSize = 128 << 10
	leastRead readSize = 64 << 10
)

func (r *readSize) bytes() int {
	if *r == 0 {
		*r = firstRead
	}
	return int(*r)
}

// adapt takes notice of an answer.
func (r *readSize) adapt(took time.Duration, err error) {
	switch {
	case err != nil && !errors.Is(err, jetstream.ErrNoMessage) || took > slowRead:
		*r = max(*r/2, leastRead)
	case took <= quickRead:
		*r = min(*r*2, jetstream.BatchBytes)
	}
}

// isFull reports whether an answer may have ended before the log did. The server
// counts a little more than can be seen of it here.
func (r *readSize) isFull(messages []jetstream.Message) bool {
	size := 0
	for _, m := range messages {
		size += len(m.Subject) + len(m.Data)
	}
	return len(messages) >= jetstream.BatchEntries || size >= r.bytes()/2
}
