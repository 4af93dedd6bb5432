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

// Journal is where tokens and persons are recorded: a writer.Ledger.
type Journal interface {
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

	mu      sync.Mutex // guards what follows, and what take adds to
	journal Journal    // nil before run
	read    bool
	last    uint64 // sequence of the newest record that was taken
}

// run reads the records and keeps them current until ctx ends, which is no error.
func (r *records) run(ctx context.Context, journal Journal) error {
	r.mu.Lock()
	r.journal = journal
	r.mu.Unlock()
	if err := r.firstRead(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	return journal.Follow(ctx, r.next(), func(record writer.Record) error {
		if r.repairedBy(record) {
			return r.catchUp(ctx)
		}
		if err := r.apply(record); err != nil {
			return err
		}
		return r.settled(ctx)
	})
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
	repaired, err := r.readOn(ctx)
	if repaired {
		r.begin()
		_, err = r.readOn(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.about, err)
	}
	if err := r.settled(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = true
	return nil
}

// readOn takes what the journal has beyond what is known, up to a repair that was not known.
func (r *records) readOn(ctx context.Context) (repaired bool, err error) {
	fromStart := r.next() == 1
	for record, err := range r.stream().Read(ctx, r.next()) {
		if err == nil && !fromStart && r.repairedBy(record) {
			return true, nil
		}
		if err == nil {
			err = r.apply(record)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// begin makes everything unknown.
func (r *records) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	r.last, r.read = 0, false
}

func (r *records) settled(ctx context.Context) error {
	if r.settle == nil {
		return nil
	}
	return r.settle(ctx)
}

func (r *records) next() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last + 1
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
func (r *records) stream() Journal {
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
		if err := r.apply(writer.Record{Sequence: sequence, Body: body}); err != nil {
			return err
		}
		return r.settled(ctx)
	}
}
