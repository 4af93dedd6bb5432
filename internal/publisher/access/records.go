package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/writer"
)

// Ledger is where tokens and persons are recorded: a writer.Ledger.
type Ledger interface {
	Append(ctx context.Context, base uint64, opID string, body []byte) (uint64, error)
	Read(ctx context.Context, from uint64) iter.Seq2[writer.Record, error]
	Follow(ctx context.Context, from uint64, apply func(writer.Record) error) error
}

// errRecord marks a record that cannot be read. It is not skipped: it may be a revocation.
var errRecord = errors.New("a record cannot be read")

// readPause is how long firstRead waits after a failure.
const readPause = 500 * time.Millisecond

// records are the records of a journal that are about one subject, and how far they were read. Publishers share the journal: what one
// records, the others know within a second while they reach it.
type records struct {
	about string // for errors
	// take adds a record to what is known, while mu is held. It ignores records about other subjects.
	take func(writer.Record) error
	// forget makes everything unknown, while mu is held: the journal was repaired, and is read again from its beginning.
	forget func()
	// settle does what the records ask for and takes time, while mu is not held. It may be nil, and is called again after an error.
	settle func(context.Context) error

	// order is held for writing while everything is read again, and for reading while records are added behind what is known: one that was added in
	// the midst of reading again would hide those before it.
	order sync.RWMutex

	mu      sync.Mutex // guards what follows, and what take adds to
	journal Ledger     // nil before run
	read    bool
	last    uint64 // sequence of the newest record that was taken
	begun   uint64 // how many times everything was read again
}

// run reads the records and keeps them current until ctx ends, which is no error.
func (r *records) run(ctx context.Context, journal Ledger) error {
	r.mu.Lock()
	r.journal = journal
	r.mu.Unlock()
	if err := r.firstRead(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	return journal.Follow(ctx, r.next(), func(record writer.Record) error { return r.add(ctx, record) })
}

// add takes a record that follows what is known.
func (r *records) add(ctx context.Context, record writer.Record) error {
	added, err := r.addInOrder(record)
	switch {
	case err != nil:
		return err
	case !added:
		return r.catchUp(ctx)
	}
	return r.settled(ctx)
}

// addInOrder is add, unless everything has to be read again before.
func (r *records) addInOrder(record writer.Record) (added bool, err error) {
	r.order.RLock()
	defer r.order.RUnlock()
	if !r.ready() || r.repairedBy(record) {
		return false, nil
	}
	return true, r.apply(record)
}

// repairedBy reports whether a record tells that the journal goes on without some that may be known here.
func (r *records) repairedBy(record writer.Record) bool {
	next := r.next()
	return record.Repairs() && next > 1 && record.Sequence >= next
}

// firstRead reads all records, however long that takes.
func (r *records) firstRead(ctx context.Context) error {
	for {
		err := r.catchUp(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return nil //nolint:nilerr // that it ends is what was asked for
		case errors.Is(err, writer.ErrDamaged), errors.Is(err, errRecord):
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(readPause):
		}
	}
}

// catchUp takes what the journal has beyond what is known; after a repair, from the beginning. Until that is read, nothing is known.
func (r *records) catchUp(ctx context.Context) error {
	for complete := false; !complete; {
		begun, repaired, err := r.readOn(ctx)
		switch {
		case err == nil && repaired:
			err = r.readAgain(ctx, begun)
		case err == nil:
			if err := r.settled(ctx); err != nil {
				return err
			}
			complete = r.completed(begun)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.about, err)
		}
	}
	return nil
}

// completed notes that everything was read, unless it was begun again since.
func (r *records) completed(begun uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = r.read || r.begun == begun
	return r.begun == begun
}

// readOn takes what the journal has beyond what is known, up to a repair that was not known. begun tells which reading it went on with.
func (r *records) readOn(ctx context.Context) (begun uint64, repaired bool, err error) {
	r.order.RLock()
	defer r.order.RUnlock()
	next, begun := r.position()
	for record, err := range r.stream().Read(ctx, next) {
		if err == nil && next > 1 && r.repairedBy(record) {
			return begun, true, nil
		}
		if err == nil {
			err = r.apply(record)
		}
		if err != nil {
			return begun, false, err
		}
	}
	return begun, false, nil
}

// readAgain makes everything unknown and reads from the beginning, unless another reader has done so since the one that met the repair.
func (r *records) readAgain(ctx context.Context, begun uint64) error {
	r.order.Lock()
	defer r.order.Unlock()
	if !r.begin(begun) {
		return nil
	}
	for record, err := range r.stream().Read(ctx, 1) {
		if err == nil {
			err = r.apply(record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin makes everything unknown, if nothing was begun since.
func (r *records) begin(begun uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun != begun {
		return false
	}
	r.forget()
	r.last, r.read = 0, false
	r.begun++
	return true
}

func (r *records) settled(ctx context.Context) error {
	if r.settle == nil {
		return nil
	}
	return r.settle(ctx)
}

func (r *records) next() uint64 {
	next, _ := r.position()
	return next
}

// position returns the place after what is known, and how many times everything was read again.
func (r *records) position() (next, begun uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last + 1, r.begun
}

// apply takes a record, unless it is known.
func (r *records) apply(record writer.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if record.Sequence <= r.last {
		return nil
	}
	if err := r.take(record); err != nil {
		return fmt.Errorf("%w: %d: %w", errRecord, record.Sequence, err)
	}
	r.last = record.Sequence
	return nil
}

// stream returns the journal, which run has set.
func (r *records) stream() Ledger {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.journal
}

// ready reports whether all records were read once.
func (r *records) ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}

// append writes the record that decide returns, none if nil, after the newest one. It decides again when another record was faster.
func (r *records) append(ctx context.Context, decide func() (any, error)) error {
	for {
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		base := r.next() - 1
		record, err := decide()
		if err != nil || record == nil {
			return err
		}
		body, err := json.Marshal(record)
		if err != nil {
			return fmt.Errorf("%s: %w", r.about, err)
		}
		sequence, err := r.stream().Append(ctx, base, rand.Text(), body)
		if errors.Is(err, writer.ErrConflict) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.about, err)
		}
		return r.add(ctx, writer.Record{Sequence: sequence, Body: body})
	}
}
