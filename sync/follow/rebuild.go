package follow

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// replayLog is a state that is read from the log aside, while another one is
// served.
type rebuild struct {
	environment string
	keys        *changelog.Keyring
	judge       *changelog.Judge
	assembler   changelog.Assembler
	first       changelog.Link   // the entry that is read first
	begin       changelog.Record // the entry that the state began with
	entries     uint64           // that follow it
	head        changelog.Head
	documents   map[document.ID]document.Document
}

// readRebuild reads the log from the entry that an epoch begins with up to a sequence,
// and returns the state it adds up to. Only what is proved counts.
func readRebuild(ctx context.Context, c jetstream.Client, environment string, begin, to uint64) (*rebuild, error) {
	r := &rebuild{
		environment: environment, keys: c.Keyring(), judge: changelog.NewReplayJudge(c.Keyring(), environment, changelog.Position{}),
		documents: make(map[document.ID]document.Document),
	}
	for batch, err := range c.Batches(ctx, jetstream.FlagsStream(environment), begin, to) {
		if err == nil {
			err = r.takeBatch(ctx, c, batch)
		}
		if err != nil {
			return nil, fmt.Errorf("read the log aside: %w", err)
		}
	}
	if err := r.take(r.judge.Settle(-1)); err != nil {
		return nil, fmt.Errorf("read the log aside: %w", err)
	}
	if r.head.IsZero() {
		return nil, fmt.Errorf("read the log aside: %w: it has no whole transaction", ErrIncomplete)
	}
	return r, nil
}

func (r *rebuild) takeBatch(ctx context.Context, c jetstream.Client, batch []jetstream.Message) error {
	for _, m := range batch {
		verdict, record := r.judge.Offer(m.Entry(r.environment))
		switch verdict {
		case changelog.Noise, changelog.Past:
		case changelog.Candidate:
			if r.first == (changelog.Link{}) {
				r.first = record.Position().Link()
			}
		case changelog.Unreadable:
			return fmt.Errorf("%w: revision %d", changelog.ErrUnreadable, m.Sequence)
		default:
			if err := r.dismiss(ctx, c, record); err != nil {
				return err
			}
		}
	}
	return r.take(r.judge.SettleSoFar())
}

// dismiss makes noise of a signed entry that continues nothing, if it is of another
// log.
func (r *rebuild) dismiss(ctx context.Context, c jetstream.Client, record changelog.Record) error {
	is, err := c.Misplaced(ctx, r.environment, r.first, record)
	if err == nil && !is {
		err = fmt.Errorf("revision %d does not continue revision %d: %w", record.Revision, r.judge.Head().Revision, changelog.ErrDifferentHistory)
	}
	if err == nil {
		r.judge.Dismiss(record)
	}
	return err
}

// take applies entries that are proved.
func (r *rebuild) take(records []changelog.Record) error {
	for _, record := range records {
		r.entries++
		if record.Kind == document.KindEpoch {
			clear(r.documents)
			r.begin, r.entries = record, 0
		}
		transaction, err := r.assembler.Add(record)
		if err != nil && !errors.Is(err, changelog.ErrFragment) {
			return err
		}
		if transaction != nil {
			r.apply(transaction)
		}
	}
	return nil
}

func (r *rebuild) apply(transaction changelog.Transaction) {
	for _, member := range transaction {
		switch {
		case member.Kind == document.KindEpoch:
		case member.Delete:
			delete(r.documents, member.ID())
		default:
			r.documents[member.ID()] = member.Document()
		}
	}
	r.head = transaction.Head()
}

// complete reports whether all of the state has come that its first entry
// announces.
func (r *rebuild) complete() bool { return r.entries >= r.begin.Complete }

// has reports whether the state is of an epoch, or of a later one that renewed it
// since.
func (r *rebuild) has(epoch changelog.Epoch) bool {
	return r.head.Epoch == epoch || r.begin.ReplacesEpoch() && r.begin.Epoch == r.head.Epoch && r.head.Epoch.Later(epoch)
}

// stateDigest returns the digest of the documents, which is the one that was
// signed unless a publisher was wrong.
func (r *rebuild) stateDigest() changelog.Digest {
	state := changelog.State{}.Edit()
	for _, d := range r.documents {
		state.Add(d)
	}
	return state.State().Digest()
}

// Header implements [Snapshot].
func (r *rebuild) Header() changelog.Header {
	return changelog.Header{Environment: r.environment, Head: r.head, Count: len(r.documents), Keys: r.keys.Shown().Text}
}

// Write implements [Snapshot].
func (r *rebuild) Write(w io.Writer) error {
	s, err := changelog.NewSnapshotWriter(w, r.Header())
	if err != nil {
		return err
	}
	for _, d := range r.documents {
		if err := s.Write(d); err != nil {
			return err
		}
	}
	return s.Close()
}

// read hands the state to what reads snapshots.
func (r *rebuild) read(read func(*changelog.SnapshotReader) error) error {
	out, in := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := r.Write(in)
		_ = in.CloseWithError(err) // always nil
		written <- err
	}()
	err := func() error {
		s, err := changelog.NewSnapshotReader(out, r.keys)
		if err != nil {
			return err
		}
		defer s.Close()
		return read(s)
	}()
	_ = out.Close() // always nil
	if failed := <-written; err == nil {
		err = failed
	}
	return err
}
