package flagd

import (
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
)

// An answer and an event are on two streams: a provider may read an answer after the event that was sent later, and would keep what is
// outdated until the next change of the flag. So an event that comes soon after an answer that providers keep is sent once more.

// repeatAfter is how long a provider may take to read an answer, and after which an event is sent again.
const repeatAfter = time.Second

// eventRepeat knows when providers were last sent something that they keep. The zero value is never. It is safe for concurrent use.
type eventRepeat struct{ last atomic.Pointer[time.Time] }

// kept notes that an answer is about to be sent. It is to be called before the answer is found to rest on the newest flags.
func (r *eventRepeat) kept(now time.Time) { r.last.Store(&now) }

// possible reports whether an answer may still be under way.
func (r *eventRepeat) possible(now time.Time) bool {
	last := r.last.Load()
	return last != nil && now.Sub(*last) < repeatAfter
}

// reminders are the events that a stream sends again, the earliest first.
type reminders []reminder

type reminder struct {
	at   time.Time
	data *structpb.Struct
}

func (r *reminders) add(now time.Time, events []*structpb.Struct) {
	for _, data := range events {
		*r = append(*r, reminder{now.Add(repeatAfter), data})
	}
}

// wait returns how long a stream stays silent.
func (r *reminders) wait(now time.Time) time.Duration {
	if len(*r) == 0 {
		return keepAlive
	}
	return max((*r)[0].at.Sub(now), 0)
}

// take returns the data of the first event and removes it.
func (r *reminders) take() *structpb.Struct {
	first := (*r)[0]
	*r = (*r)[1:]
	return first.data
}
