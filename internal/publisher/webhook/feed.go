package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/queue"
)

// keepFor is how long events wait for their receivers.
const keepFor = 7 * 24 * time.Hour

// Source is where an environment keeps what happened. A *control.Service is one.
type Source interface {
	activity.Source
	// Known returns the newest state known here.
	Known() (decide.State, error)
	// KnownLedgerEnd returns the sequence of the newest record of the ledger that is known to exist.
	KnownLedgerEnd() uint64
	// LedgerEnd returns that of the newest record that the ledger had before the call, up to which everything is known then.
	LedgerEnd(ctx context.Context) (uint64, error)
}

// feed copies what happens in one environment into its queue. All publishers do, and none copies what another has copied.
type feed struct {
	environment string
	source      Source // nil if nothing happens there any more
	beginning   bool   // what happened before the first look is told, too
	conn        *flagsync.Conn
	timing      timing
	replicas    int
	logger      zerolog.Logger
	copied      func(n int)
	lost        func(why string)
	ready       chan struct{} // closed once everything was copied that there was at the start
	ending      chan struct{} // closed when nothing happens there any more
	finished    chan struct{} // closed once everything was copied that happened

	mu    sync.Mutex // guards what follows
	queue *queue.Queue
	err   error     // why nothing is copied; nil while all is well
	since time.Time // of err

	// What only run uses: how far was copied, by anyone; known is false until that was read.
	known  bool
	place  activity.Place
	end    uint64 // sequence of the queue behind which the next message comes
	count  uint64
	looked activity.Place // up to which there is nothing that was not copied
	kept   time.Time      // when the place was kept last, or the newest message is from
}

// timing is when things happen; tests shorten it.
type timing struct {
	look     time.Duration // between two looks for what is new
	settle   time.Duration // so long, what is new waits for what is older
	keep     time.Duration // at least so often, the queue is told how far was copied in a message that does not expire
	keepFor  time.Duration
	ackWait  time.Duration
	reopen   time.Duration // after the queue failed
	finish   time.Duration // at most so long, what happened at the end is copied
	progress time.Duration // between two looks at what waits
}

func usualTiming() timing {
	return timing{
		look: time.Second, settle: 300 * time.Millisecond, keep: 24 * time.Hour, keepFor: keepFor, ackWait: 15 * time.Second, reopen: time.Second,
		finish: time.Minute, progress: 10 * time.Second,
	}
}

// open returns the queue, which it opens if it is not.
func (f *feed) open(ctx context.Context) (*queue.Queue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queue != nil {
		return f.queue, nil
	}
	q, err := queue.Open(ctx, f.conn, queue.Options{
		Stream: flagsync.EventsStream(f.environment), Subject: flagsync.EventsSubject(f.environment), MaxAge: f.timing.keepFor, Replicas: f.replicas,
		Existing: isClosed(f.finished),
	})
	if err == nil {
		f.queue = q
	}
	return q, err
}

// reopen has the queue opened again, because something is gone.
func (f *feed) reopen(failed *queue.Queue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queue == failed {
		f.queue = nil
	}
}

// run copies until ctx ends, or everything was copied that happened until the environment was archived.
func (f *feed) run(ctx context.Context) {
	defer close(f.finished)
	ready := sync.OnceFunc(func() { close(f.ready) })
	var giveUp <-chan time.Time
	for ctx.Err() == nil {
		ending := isClosed(f.ending)
		if ending && giveUp == nil {
			giveUp = time.After(f.timing.finish)
		}
		before := f.count
		whole, err := f.look(ctx, ending)
		f.note(ctx, err)
		if whole && err == nil {
			ready()
			if ending {
				return
			}
		}
		pause := f.timing.look
		if err == nil && !whole && f.count != before { // there is more
			pause = 0
		}
		select {
		case <-ctx.Done():
		case <-giveUp:
			f.logger.Warn().Err(err).Msg("the last events of the archived environment were not copied for webhooks")
			return
		case <-time.After(pause):
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// note keeps what became of a look, and logs when that changes.
func (f *feed) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil && f.err == nil:
		f.since = time.Now()
		f.logger.Warn().Err(err).Msg("events not copied for webhooks, trying again")
	case err == nil && f.err != nil:
		f.logger.Info().Msg("events copied for webhooks again")
	}
	f.err = err
}

// failing returns why nothing is copied, and since when; nil while all is well.
func (f *feed) failing() (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since, f.err
}

// look copies what is new. whole tells that nothing is left. For the last time, nothing tells any more what is new, and so it is asked for.
func (f *feed) look(ctx context.Context, last bool) (whole bool, err error) {
	settled := time.Now().Add(-f.timing.settle)
	state, err := f.source.Known()
	if err != nil {
		return false, err
	}
	end := activity.Place{Log: state.Position(), Sequence: f.source.KnownLedgerEnd()}
	if !last && f.known && !end.Log.Newer(f.looked.Log) && end.Sequence <= f.looked.Sequence && time.Since(f.kept) < f.timing.keep {
		return true, nil
	}
	q, err := f.open(ctx)
	if err != nil {
		return false, err
	}
	// Requests are known then that the changes up to here have applied.
	if end.Sequence, err = f.source.LedgerEnd(ctx); err != nil {
		return false, err
	}
	if whole, err = f.copy(ctx, q, end, settled); errors.Is(err, queue.ErrConflict) { // another publisher was faster
		f.known = false
		return false, nil
	}
	if errors.Is(err, queue.ErrLost) {
		f.reopen(q)
		f.known = false
	}
	return whole, err
}

// copy copies what is behind the last message of the queue, up to end, and not what happened after it had settled.
func (f *feed) copy(ctx context.Context, q *queue.Queue, end activity.Place, settled time.Time) (whole bool, err error) {
	if !f.known {
		if err := f.read(ctx, q, end); err != nil {
			return false, err
		}
	}
	items, whole, err := activity.News(ctx, f.source, f.place, end, settled)
	if err != nil {
		return false, err
	}
	for _, i := range items {
		if err := f.append(ctx, q, i); err != nil {
			f.known = false // it may have been appended
			return false, err
		}
	}
	if whole {
		f.looked = end
	}
	if time.Since(f.kept) < f.timing.keep {
		return whole, nil
	}
	return whole, f.keep(ctx, q)
}

// read finds out how far was copied, by anyone. A queue without messages goes on where this publisher knows it was, or else begins with what comes after end, or with
// everything in a new environment.
func (f *feed) read(ctx context.Context, q *queue.Queue, end activity.Place) error {
	newest, last, err := q.Last(ctx)
	if err != nil {
		return err
	}
	if newest.Sequence > 0 {
		s, err := decodeStored(newest.Data)
		if err != nil {
			return err
		}
		f.place, f.end, f.count, f.kept = s.Place, last, s.Count, newest.Stored
		err = f.putBack(ctx)
		if err == nil && time.Since(newest.Stored) > f.timing.keepFor {
			err = f.skip(ctx, q, end)
		}
		f.known = err == nil
		return err
	}
	again := f.place != activity.Place{}
	if !again && !f.beginning {
		f.place = end
	}
	f.end = last
	if err := f.keep(ctx, q); err != nil {
		return err
	}
	f.known = true
	if again {
		f.lost("the stream of events of environment " + f.environment + " is gone: events that waited in it are lost")
		f.logger.Warn().Msg("the stream of events for webhooks was gone and is made again: events that waited in it are lost")
	} else {
		f.logger.Info().Msg("events are kept for webhooks from now on")
	}
	return nil
}

// skip goes on at end if no webhook waits for what came before: none has been there for as long as events are kept.
func (f *feed) skip(ctx context.Context, q *queue.Queue, end activity.Place) error {
	consumers, err := q.Consumers(ctx)
	if err == nil && consumers == 0 {
		f.place = end
		f.logger.Info().Msg("events are kept for webhooks again, from now on")
	}
	return err
}

// putBack goes on at the end of the ledger if that ends before what was told of it: it was restored from a backup, and its sequences come again.
func (f *feed) putBack(ctx context.Context) error {
	end, err := f.source.LedgerEnd(ctx) // which is newer than what was read of the queue
	if err == nil && end < f.place.Sequence {
		f.logger.Warn().Uint64("told", f.place.Sequence).Uint64("end", end).Msg("the ledger ends before what webhooks were told of: they are told what comes behind its end")
		f.place.Sequence = end
	}
	return err
}

func (f *feed) append(ctx context.Context, q *queue.Queue, i activity.Item) error {
	event, err := bounded(i.Tell(), maxEvent)
	if err != nil {
		return err
	}
	s := stored{Place: f.place.Behind(i), Count: f.count + 1, ID: idOf(f.environment, i), Event: &event}
	data, err := s.encode()
	if err != nil {
		return err
	}
	sequence, err := q.Append(ctx, data, s.ID, f.end)
	if err != nil {
		return err
	}
	f.place, f.count, f.end = s.Place, s.Count, sequence
	f.copied(1)
	return nil
}

// keep tells the queue how far was copied, in a message that does not expire.
func (f *feed) keep(ctx context.Context, q *queue.Queue) error {
	data, err := stored{Place: f.place, Count: f.count}.encode()
	if err != nil {
		return err
	}
	sequence, err := q.Keep(ctx, data, f.end)
	if err != nil {
		f.known = false
		return err
	}
	f.end, f.kept = sequence, time.Now()
	return nil
}
