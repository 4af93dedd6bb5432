package writer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Log is the change log of one environment as a publisher sees it: whatever it
// decides on is the leader's answer, and proved. It is safe for concurrent use.
type Log struct {
	conn        jetstream.Client
	environment string
	replicas    int
	anchors     func() (ledger, control changelog.Anchor)

	mu    sync.Mutex
	known logTail // as it was when the log was looked at last
}

// LogOptions configure a [Log].
type LogOptions struct {
	Environment string
	Replicas    int // of its streams: 1, 3 or 5
	// Anchors returns how far the ledger of the environment and CONTROL are known
	// to go, for what is signed; nil is not known. It must not block.
	Anchors func() (ledger, control changelog.Anchor)
}

// OpenLog opens the log of an environment that exists. It refuses one whose
// stream is gone ([ErrStreamLost]) or has other settings than it must have
// ([ErrStreamMismatch]), and environments that CONTROL does not know
// ([ErrEnvironmentUnknown]) or has archived ([ErrEnvironmentArchived]).
func OpenLog(ctx context.Context, conn *flagsync.Conn, o LogOptions) (*Log, error) {
	if err := errors.Join(flagsync.ValidateEnvironment(o.Environment), validateReplicas(o.Replicas)); err != nil {
		return nil, err
	}
	c := jetstream.Use(conn)
	known, err := readEnvironment(ctx, c, o.Environment, o.Replicas)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if !known.Archived.IsZero() {
		return nil, fmt.Errorf("open log: %w: %q", ErrEnvironmentArchived, o.Environment)
	}
	if _, err := c.OpenStream(ctx, jetstream.LedgerConfig(o.Environment, o.Replicas)); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	info, err := c.OpenStream(ctx, jetstream.FlagsConfig(o.Environment, o.Replicas))
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if info.State.LastSequence == 0 {
		return nil, fmt.Errorf("open log: it is empty: %w", jetstream.StreamLost(jetstream.FlagsStream(o.Environment)))
	}
	l := newLog(c, o)
	if _, err := l.Head(ctx); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

// NewLog returns the log of an environment whose streams are not looked at.
func NewLog(c *flagsync.Conn, o LogOptions) *Log { return newLog(jetstream.Use(c), o) }

func newLog(c jetstream.Client, o LogOptions) *Log {
	if o.Anchors == nil {
		o.Anchors = func() (ledger, control changelog.Anchor) { return ledger, control }
	}
	return &Log{conn: c, environment: o.Environment, replicas: o.Replicas, anchors: o.Anchors}
}

// Environment returns the name of the environment.
func (l *Log) Environment() string { return l.environment }

// Head returns the position of the newest entry, as the leader knows it.
func (l *Log) Head(ctx context.Context) (changelog.Position, error) {
	info, err := l.conn.Info(ctx, jetstream.FlagsStream(l.environment))
	switch {
	case jetstream.HasCode(err, jetstream.CodeStreamNotFound), err == nil && info.State.LastSequence == 0:
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, jetstream.StreamLost(jetstream.FlagsStream(l.environment)))
	case err != nil:
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, err)
	}
	t, err := l.advance(ctx, info.State.LastSequence)
	return t.head, err
}

// History returns the entries about one document, oldest first, up to the newest
// that the leader has when it begins. Each was signed by a key that a keys note of
// the log lists or has listed. It ends with the first error.
func (l *Log) History(ctx context.Context, id document.ID) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		for m, err := range l.subjectMessages(ctx, id) {
			if err != nil {
				yield(changelog.Record{}, err)
				return
			}
			r, err := l.conn.Keyring().OpenPastEntry(l.environment, m.Entry(l.environment))
			if errors.Is(err, changelog.ErrUnsigned) || errors.Is(err, changelog.ErrUnreadable) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// subjectMessages returns the messages about one document, noise too.
func (l *Log) subjectMessages(ctx context.Context, id document.ID) iter.Seq2[jetstream.Message, error] {
	stream, subject := jetstream.FlagsStream(l.environment), jetstream.FlagsSubject(l.environment)+"."+changelog.Subject(id)
	return func(yield func(jetstream.Message, error) bool) {
		last, err := l.conn.LastMessage(ctx, stream, subject)
		if errors.Is(err, jetstream.ErrNoMessage) {
			return
		}
		var pauses jetstream.Backoff
		for next := uint64(1); err == nil && next <= last.Sequence; {
			var batch []jetstream.Message
			batch, err = l.conn.Batch(ctx, stream, jetstream.BatchRequest{Sequence: next, NextBySubject: subject, Batch: jetstream.BatchEntries, MaxBytes: jetstream.BatchBytes})
			switch {
			case len(batch) > 0:
				err = nil // what follows is asked for next
			case errors.Is(err, flagsync.ErrUnreachable): // the replica that was asked; another one leads
				var m jetstream.Message
				if m, err = l.conn.Get(ctx, stream, jetstream.MessageRequest{Sequence: next, NextBySubject: subject}); err == nil {
					batch = append(batch, m)
				}
			}
			for _, m := range batch {
				if !yield(m, nil) {
					return
				}
				next = m.Sequence + 1
			}
			if behind := len(batch) == 0 && (err == nil || errors.Is(err, jetstream.ErrNoMessage)); behind && pauses.Wait(ctx) {
				err = nil
			}
		}
		if err != nil {
			yield(jetstream.Message{}, fmt.Errorf("history in %s: %w", l.environment, err))
		}
	}
}

// Read returns the entries after a position, which is known to be one of the log,
// up to a revision; zero is the beginning of the log. It reads on, without
// returning more, until a signature that counts proves the last of them. It ends
// with the first error; that a revision is not there is one.
func (l *Log) Read(ctx context.Context, after changelog.Position, to uint64) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		err := l.read(ctx, after, to, func(r changelog.Record) bool { return yield(r, nil) })
		if err != nil {
			yield(changelog.Record{}, fmt.Errorf("read %s: %w", l.environment, err))
		}
	}
}

func (l *Log) read(ctx context.Context, after changelog.Position, to uint64, yield func(changelog.Record) bool) error {
	info, err := l.conn.Info(ctx, jetstream.FlagsStream(l.environment))
	if err != nil || to <= after.Revision {
		return err
	}
	judge := changelog.NewReplayJudge(l.conn.Keyring(), l.environment, after)
	reached := after.Revision
	pass := func(records []changelog.Record) bool {
		for _, r := range records {
			reached = r.Revision
			if r.Revision <= to && !yield(r) {
				return false
			}
		}
		return true
	}
	for batch, err := range l.conn.Batches(ctx, jetstream.FlagsStream(l.environment), after.Revision+1, max(to, info.State.LastSequence)) {
		if err != nil {
			return err
		}
		for _, m := range batch {
			if err := l.offer(ctx, judge, after.Link(), m); err != nil {
				return err
			}
		}
		if !pass(judge.SettleSoFar()) || reached >= to {
			return nil
		}
	}
	if !pass(judge.Settle(-1)) || reached >= to {
		return nil
	}
	if to > info.State.LastSequence {
		return fmt.Errorf("the log ends with message %d, before revision %d: %w", info.State.LastSequence, to, jetstream.ErrNoMessage)
	}
	return l.verifyNoise(ctx, to)
}

// verifyNoise reports that a revision is an entry and was not read.
func (l *Log) verifyNoise(ctx context.Context, to uint64) error {
	t, err := l.advance(ctx, to)
	if err != nil {
		return err
	}
	if t.head.Revision >= to {
		return fmt.Errorf("revision %d is not proved: %w", to, jetstream.ErrNoMessage)
	}
	return nil
}

// Holds reports whether the log has the entry that a position names, where the
// position says that it is.
func (l *Log) Holds(ctx context.Context, p changelog.Position) (bool, error) {
	if p.IsZero() {
		return false, nil
	}
	if err := l.adoptKeys(ctx); err != nil {
		return false, fmt.Errorf("revision %s in %s: %w", p.Token(), l.environment, err)
	}
	m, err := l.conn.Message(ctx, jetstream.FlagsStream(l.environment), p.Revision)
	if errors.Is(err, jetstream.ErrNoMessage) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("revision %s in %s: %w", p.Token(), l.environment, err)
	}
	r, err := l.conn.Keyring().OpenPastEntry(l.environment, m.Entry(l.environment)) // an error: what no publisher signed is no entry
	return err == nil && r.Position() == p, nil
}

// lostStart returns the last sequence of a stream that counts messages and holds
// none, and 0 for every other stream. A disk that was full leaves one behind when it
// tears the first message, which was then never acknowledged; nothing can be stored
// at its place any more. Without a message nothing can be read that a log begun
// behind it would contradict, so that it proves as much as one that begins at 1.
func lostStart(ctx context.Context, c jetstream.Client, stream string) (uint64, error) {
	info, err := c.Info(ctx, stream)
	if err != nil || info.State.Messages > 0 {
		return 0, err
	}
	if err := info.VerifyLease(); err != nil {
		return 0, fmt.Errorf("%w: %w", flagsync.ErrUnreachable, err)
	}
	return info.State.LastSequence, nil
}

// begin writes the entry a log begins with and the keys note, unless they are
// there, and returns the former.
func (l *Log) begin(ctx context.Context, actor string) (changelog.Record, error) {
	first, err := l.first(ctx)
	if err == nil || !errors.Is(err, jetstream.ErrNoMessage) {
		return first, err
	}
	keys, err := changelog.KeysDocument(l.conn.Keyring().Note())
	if err != nil {
		return changelog.Record{}, err
	}
	entries := []changelog.Entry{
		{Kind: document.KindEpoch, Key: document.EpochKey},
		{Kind: keys.Kind, Key: keys.Key, Put: keys.Body},
	}
	op, now := newID(), time.Now().UTC()
	epoch := changelog.NewEpoch(now, "")
	for i := range entries {
		entries[i].Epoch, entries[i].OpID, entries[i].Actor, entries[i].Time = epoch, op, actor, now
		entries[i].Index, entries[i].Count = i+1, len(entries)
	}
	after, err := lostStart(ctx, l.conn, jetstream.FlagsStream(l.environment))
	if err != nil {
		return changelog.Record{}, err
	}
	a, err := l.newAppend(noBasis{}, after, entries)
	if err != nil {
		return changelog.Record{}, err
	}
	outcome, err := a.run(ctx)
	switch {
	case err != nil:
		return changelog.Record{}, err
	case outcome.State == Committed:
		return outcome.Records[0], nil
	case outcome.State == Open && outcome.Cause != nil:
		return changelog.Record{}, fmt.Errorf("it is undecided whether the first entry was written, repeat it: %w", outcome.Cause)
	case outcome.State == Open:
		return changelog.Record{}, fmt.Errorf("it is undecided whether the first entry was written, repeat it: %w", flagsync.ErrUnreachable)
	}
	return l.first(ctx)
}

// first returns the entry that the log begins with, errNoMessage if there is
// none.
func (l *Log) first(ctx context.Context) (changelog.Record, error) {
	info, err := l.conn.Info(ctx, jetstream.FlagsStream(l.environment))
	if err != nil {
		return changelog.Record{}, err
	}
	if info.State.LastSequence == 0 {
		return changelog.Record{}, jetstream.ErrNoMessage
	}
	judge := changelog.NewReplayJudge(l.conn.Keyring(), l.environment, changelog.Position{})
	for batch, err := range l.conn.Batches(ctx, jetstream.FlagsStream(l.environment), 1, info.State.LastSequence) {
		if err != nil {
			return changelog.Record{}, err
		}
		for _, m := range batch {
			if err := l.offer(ctx, judge, changelog.Link{}, m); err != nil {
				return changelog.Record{}, err
			}
		}
		if records := judge.SettleSoFar(); len(records) > 0 {
			return records[0], nil
		}
	}
	if records := judge.Settle(-1); len(records) > 0 {
		return records[0], nil
	}
	return changelog.Record{}, jetstream.ErrNoMessage
}

// newID returns a random id.
func newID() string { return rand.Text() }
