package publisher

import (
	"context"
	"fmt"
	"iter"

	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Audit returns what the history of an environment is exported from.
func (e *environments) Audit(ctx context.Context, name string, withControl bool) (audit.Source, error) {
	running, log, ledger, err := e.history(ctx, name)
	if err != nil {
		return audit.Source{}, err
	}
	// What the ledger says now was applied stands in the log up to the head that is asked for next; what the log names up to there stands in
	// the ledger and in CONTROL when they are read, later still.
	said, err := lastOf(ctx, ledger)
	if err != nil {
		return audit.Source{}, err
	}
	if err := running.follower.Barrier(ctx); err != nil {
		return audit.Source{}, err
	}
	head := running.store.Position() // after a whole transaction
	source := audit.Source{Environment: name, Signer: running.conn.Signer()}
	if withControl {
		list, err := e.opened()
		if err != nil {
			return audit.Source{}, err
		}
		source.Streams = append(source.Streams, audit.Stream{Name: writer.ControlLedger().Stream(), Records: list.Ledger().Stored(ctx)})
	}
	source.Streams = append(source.Streams,
		audit.Stream{Name: writer.LedgerOf(name).Stream(), Records: untilApplied(ledger.Stored(ctx), said, head), Last: said},
		audit.Stream{Name: log.Stream(), Records: log.Stored(ctx, head.Revision), Last: head.Revision})
	return source, nil
}

// lastOf returns the number of the newest record of a journal.
func lastOf(ctx context.Context, j *writer.Ledger) (last uint64, err error) {
	for r, err := range j.Read(ctx, j.Head().Sequence+1) {
		if err != nil {
			return 0, err
		}
		last = r.Sequence
	}
	return max(last, j.Head().Sequence), nil
}

// untilApplied ends records of a ledger, behind one of them, before the first that says that something was applied behind the head of the
// log, or that names a record of CONTROL: that was not there when the head, or CONTROL, was asked for.
func untilApplied(records iter.Seq2[writer.Stored, error], said uint64, head changelog.Position) iter.Seq2[writer.Stored, error] {
	return func(yield func(writer.Stored, error) bool) {
		for s, err := range records {
			if err == nil && s.Sequence > said && appliedBehind(s, head) {
				return
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func appliedBehind(s writer.Stored, head changelog.Position) bool {
	r, err := changelog.DecodeLedgerRecord(s.Data)
	if err != nil {
		return false
	}
	e, err := requests.DecodeEvent(r.Body)
	return err == nil && (appliedAfter(r.Body, head) || !e.Control.IsZero())
}

// Note returns the proof of a record as a signed note.
func (e *environments) Note(ctx context.Context, name, stream string, sequence uint64) (string, error) {
	_, log, ledger, err := e.history(ctx, name)
	if err != nil {
		return "", err
	}
	switch stream {
	case "log":
		return log.Note(ctx, sequence)
	case "ledger":
		return ledger.Note(ctx, sequence)
	default:
		return "", &decide.Refusal{Cause: decide.CauseNotKnown, Detail: fmt.Sprintf("There is no stream %q: say log or ledger.", stream)}
	}
}

// history returns the log and the ledger of an environment.
func (e *environments) history(ctx context.Context, name string) (*environment, *writer.Log, *writer.Ledger, error) {
	running, err := e.find(name)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := running.Ledger(ctx); err != nil { // which waits until both were opened
		return nil, nil, nil, err
	}
	running.mu.Lock()
	defer running.mu.Unlock()
	return running, running.log, running.ledger, nil
}
