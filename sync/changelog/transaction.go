package changelog

import (
	"errors"
	"fmt"

	"github.com/flagside/flagside/document"
)

// Record is an entry as the log holds it.
type Record struct {
	Entry
	Digest    Digest    // of the entry's bytes
	Signature Signature // of a publisher, as it was stored; verified for the newest of what is read together
	Size      int       // bytes of the entry
}

// DecodeRecord decodes the bytes that stand in the log at a revision. It proves
// nothing: see [Judge].
func DecodeRecord(revision uint64, data []byte) (Record, error) {
	e, err := DecodeEntry(data)
	if err != nil {
		return Record{}, fmt.Errorf("revision %d: %w", revision, err)
	}
	if e.Revision != revision {
		return Record{}, fmt.Errorf("revision %d: it says that it is revision %d", revision, e.Revision)
	}
	return Record{Entry: e, Digest: Sum(data), Size: len(data)}, nil
}

// Position returns the place in the history after r.
func (r Record) Position() Position {
	return Position{Epoch: r.Epoch, Revision: r.Revision, Digest: r.Digest}
}

// Head returns the position with what proves it.
func (r Record) Head() Head {
	return Head{Position: r.Position(), State: r.State, Signature: r.Signature}
}

// ReplacesEpoch reports whether r begins an epoch that replaces the state: what was known before is
// no part of it.
func (r Record) ReplacesEpoch() bool { return r.Complete != 0 }

// Document returns what r puts. The body of a deleted document is nil.
func (r Record) Document() document.Document {
	return document.Document{Kind: r.Kind, Key: r.Key, Revision: r.Revision, Body: r.Put}
}

// Transaction is the records that are applied together: the entries of one
// change, number 1 to the last. It is never empty.
type Transaction []Record

// Position returns the place in the history after the transaction.
func (t Transaction) Position() Position { return t[len(t)-1].Position() }

// Head returns the position after the transaction, the state there, and what
// proves both.
func (t Transaction) Head() Head { return t[len(t)-1].Head() }

// OpID returns the op-id of the change.
func (t Transaction) OpID() string { return t[0].OpID }

// ErrFragment is returned when a transaction was interrupted by an entry that
// does not belong to it. A publisher appends atomically, so this is the trace
// of a writer that did not, or of a damaged log.
var ErrFragment = errors.New("a transaction was interrupted; its fragment is dropped")

// Assembler collects records into whole transactions. The zero value waits for
// the first record of one. It is not safe for concurrent use.
type Assembler struct {
	pending Transaction
}

// Add takes the next record of the log and returns a transaction once it is
// whole, nil before that. When r does not continue what was collected, the
// fragment is dropped and err wraps [ErrFragment]; r itself is then taken as a
// beginning, so a transaction of one comes back together with the error.
func (a *Assembler) Add(r Record) (tx Transaction, err error) {
	if err = a.check(r); err != nil {
		a.pending = nil
	}
	if r.Index != len(a.pending)+1 {
		return nil, err // the rest of a fragment that was already dropped
	}
	a.pending = append(a.pending, r)
	if r.Index < r.Count {
		return nil, err
	}
	tx, a.pending = a.pending, nil
	return tx, err
}

// Reset drops what was collected.
func (a *Assembler) Reset() { a.pending = nil }

func (a *Assembler) check(r Record) error {
	if len(a.pending) == 0 {
		if r.Index == 1 {
			return nil
		}
		return fmt.Errorf("revision %d is number %d of %d without the ones before it: %w",
			r.Revision, r.Index, r.Count, ErrFragment)
	}
	first := a.pending[0]
	if r.OpID == first.OpID && r.Count == first.Count && r.Index == len(a.pending)+1 {
		return nil
	}
	return fmt.Errorf("op %s has %d of %d entries before revision %d: %w",
		first.OpID, len(a.pending), first.Count, r.Revision, ErrFragment)
}
