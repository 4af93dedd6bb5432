package flagsync

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/flagside/flagside/sync/changelog"
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
// to the head that the leader has when it begins, without noise.
func (l *Log) Stored(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		valid := make(map[uint64]changelog.Digest)
		head, err := l.Head(ctx)
		if err != nil {
			yield(Stored{}, err)
			return
		}
		for r, err := range l.Read(ctx, changelog.Position{}, head.Revision) {
			if err != nil {
				yield(Stored{}, err)
				return
			}
			valid[r.Revision] = r.Digest
		}
		l.conn.stored(ctx, flagsStream(l.environment), flagsSubject(l.environment)+".", valid, head.Revision)(yield)
	}
}

// Stored returns the records of the journal as they are stored, up to the newest
// that the leader has when it begins, without noise.
func (j *Journal) Stored(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		valid, last := make(map[uint64]changelog.Digest), uint64(0)
		for r, err := range j.Read(ctx, 1) {
			if err != nil {
				yield(Stored{}, err)
				return
			}
			valid[r.Sequence], last = r.Digest, r.Sequence
		}
		j.conn.stored(ctx, j.name.stream, "", valid, last)(yield)
	}
}

// Stream returns the name of the stream that the journal is kept in.
func (n JournalName) Stream() string { return n.stream }

// Stream returns the name of the stream that the log is kept in.
func (l *Log) Stream() string { return flagsStream(l.environment) }

// stored yields the messages of a stream that are valid.
func (c *Conn) stored(ctx context.Context, stream, prefix string, valid map[uint64]changelog.Digest, last uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for m, err := range c.messages(ctx, stream, 1, last) {
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
