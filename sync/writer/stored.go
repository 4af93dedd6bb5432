package writer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Stored is a record exactly as its stream holds it, with what proves it.
type Stored struct {
	Stream   string
	Sequence uint64
	Subject  string // last token of its subject
	Proof    string // value of changelog.ProofHeader
	Data     []byte
	Time     time.Time // when the stream took it; it proves nothing
}

// Stored returns the entries of the log as they are stored, from its beginning up
// to a revision, without noise.
func (l *Log) Stored(ctx context.Context, to uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		valid := make(map[uint64]changelog.Digest)
		for r, err := range l.Read(ctx, changelog.Position{}, to) {
			if err != nil {
				yield(Stored{}, err)
				return
			}
			valid[r.Revision] = r.Digest
		}
		storedMessages(ctx, l.conn, jetstream.FlagsStream(l.environment), jetstream.FlagsSubject(l.environment)+".", valid, to)(yield)
	}
}

// Stored returns the records of the journal as they are stored, up to the newest
// that the leader has when it begins, without noise.
func (j *Ledger) Stored(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		valid, last := make(map[uint64]changelog.Digest), uint64(0)
		for r, err := range j.Read(ctx, 1) {
			if err != nil {
				yield(Stored{}, err)
				return
			}
			valid[r.Sequence], last = r.Digest, r.Sequence
		}
		storedMessages(ctx, j.conn, j.name.stream, "", valid, last)(yield)
	}
}

// Stream returns the name of the stream that the journal is kept in.
func (n LedgerName) Stream() string { return n.stream }

// Subject returns the subject of the records of the journal.
func (n LedgerName) Subject() string { return n.subject }

// Stream returns the name of the stream that the log is kept in.
func (l *Log) Stream() string { return jetstream.FlagsStream(l.environment) }

// storedMessages yields the messages of a stream that are valid.
func storedMessages(ctx context.Context, c jetstream.Client, stream, prefix string, valid map[uint64]changelog.Digest, last uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for m, err := range c.Messages(ctx, stream, 1, last) {
			if err != nil {
				yield(Stored{}, fmt.Errorf("export %s: %w", stream, err))
				return
			}
			if digest, ok := valid[m.Sequence]; !ok || digest != changelog.Sum(m.Data) {
				continue
			}
			s := Stored{Stream: stream, Sequence: m.Sequence, Proof: m.Proof, Data: m.Data, Time: m.Taken}
			if prefix != "" {
				s.Subject = m.Subject[min(len(prefix), len(m.Subject)):]
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// StoredAt returns the entry of a revision as it is stored, which a key that the
// log lists or has listed has signed. [ErrNotStored] tells that there is none.
func (l *Log) StoredAt(ctx context.Context, revision uint64) (changelog.Record, error) {
	m, err := l.conn.Message(ctx, jetstream.FlagsStream(l.environment), revision)
	var r changelog.Record
	if err == nil {
		r, err = l.conn.Keyring().OpenPastEntry(l.environment, m.Entry(l.environment))
	}
	if err != nil {
		return changelog.Record{}, fmt.Errorf("revision %d of %s: %w", revision, l.environment, notStored(err))
	}
	return r, nil
}

// Note returns the proof of an entry as a signed note, which other tools verify.
func (l *Log) Note(ctx context.Context, revision uint64) (string, error) {
	r, err := l.StoredAt(ctx, revision)
	if err != nil {
		return "", err
	}
	return changelog.EntryNote(l.conn.Keyring().Installation(), l.environment, r.Head()), nil
}

// Note returns the proof of a record as a signed note, which other tools verify.
func (j *Ledger) Note(ctx context.Context, sequence uint64) (string, error) {
	m, err := j.conn.Message(ctx, j.name.stream, sequence)
	anchor := changelog.Anchor{Sequence: sequence, Digest: changelog.Sum(m.Data)}
	if err == nil {
		err = j.conn.Keyring().VerifyPastRecord(j.name.stream, anchor, changelog.Signature(m.Proof))
	}
	if err != nil {
		return "", fmt.Errorf("%s at %d: %w", j.name.stream, sequence, notStored(err))
	}
	return changelog.RecordNote(j.conn.Keyring().Installation(), j.name.stream, anchor, changelog.Signature(m.Proof)), nil
}

// Checkpoint returns how far the log is known to go. It asks nothing.
func (l *Log) Checkpoint() changelog.StreamHead {
	t := l.lastKnown()
	return changelog.StreamHead{
		Stream: jetstream.FlagsStream(l.environment), Epoch: t.head.Epoch, Anchor: changelog.Anchor{Sequence: t.head.Revision, Digest: t.head.Digest},
	}
}

// ErrNotStored means that a stream has no record that a publisher signed at a
// place.
var ErrNotStored = errors.New("no publisher has signed a record there")

func notStored(err error) error {
	if errors.Is(err, jetstream.ErrNoMessage) || errors.Is(err, changelog.ErrUnsigned) {
		return ErrNotStored
	}
	return err
}
