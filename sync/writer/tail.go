package writer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// logTail is what a publisher knows of the end of a log.
type logTail struct {
	head   changelog.Position // the last entry that is proved
	state  changelog.Digest   // that was signed with it; zero within a transaction and where it is not known
	begin  uint64             // revision at which its epoch begins; 0 is not known
	judged uint64             // every sequence up to here is an entry or noise
}

// advance reads what the stream has up to a sequence and returns what is known
// then. Reading is not exclusive: what several do at once is the same.
func (l *Log) advance(ctx context.Context, last uint64) (logTail, error) {
	t := l.lastKnown()
	switch {
	case t.judged >= last:
		return t, nil
	case t.head.IsZero():
		return l.find(ctx, last)
	}
	t, err := l.readFrom(ctx, t, last)
	if errors.Is(err, jetstream.ErrHole) { // which an operator may have left for a new epoch
		if found, failure := l.find(ctx, last); failure == nil && found.head.Epoch.Later(t.head.Epoch) {
			return found, nil
		}
	}
	if err != nil {
		return logTail{}, fmt.Errorf("%s: %w", l.environment, err)
	}
	l.remember(t)
	return t, nil
}

// readFrom judges the messages behind what is known, up to a sequence. It fails with
// ErrHole where a message is missing behind the last entry: it may have been one.
func (l *Log) readFrom(ctx context.Context, t logTail, last uint64) (logTail, error) {
	judge, known := changelog.NewReplayJudge(l.conn.Keyring(), l.environment, t.head), t.head.Link()
	read := places{next: t.judged + 1}
	for batch, err := range l.conn.Batches(ctx, jetstream.FlagsStream(l.environment), t.judged+1, last) {
		if err != nil {
			return t, err
		}
		for _, m := range batch {
			read.read(m.Sequence)
			if err := l.offer(ctx, judge, known, m); err != nil {
				return t, err
			}
		}
		t = t.after(judge.SettleSoFar())
	}
	t = t.after(judge.Settle(-1))
	if err := read.whole(t.head.Revision, last); err != nil {
		return t, err
	}
	t.judged = last
	return t, l.conn.Keyring().Supported()
}

// offer judges a message where everything before it was read since an entry that
// is known, or since the beginning.
func (l *Log) offer(ctx context.Context, judge *changelog.Judge, known changelog.Link, m jetstream.Message) error {
	verdict, r := judge.Offer(m.Entry(l.environment))
	switch verdict {
	case changelog.Noise, changelog.Candidate, changelog.Past:
		return nil
	case changelog.Unreadable:
		return l.conn.Unreadable(l.environment, m)
	case changelog.Ahead, changelog.Different, changelog.EpochReplaced: // unless it belongs elsewhere
	}
	if is, err := l.isMisplaced(ctx, known, r); err != nil || is {
		judge.Dismiss(r)
		return err
	}
	if verdict == changelog.Ahead {
		return fmt.Errorf("%w: revision %d continues revision %d, which is not there", jetstream.ErrHole, r.Revision, r.Prev.Revision)
	}
	return fmt.Errorf("revision %d does not continue revision %d: %w", m.Sequence, judge.Head().Revision, changelog.ErrDifferentHistory)
}

// isMisplaced reports whether a signed entry was written for another log, where
// the leader still has the one that is known.
func (l *Log) isMisplaced(ctx context.Context, known changelog.Link, r changelog.Record) (bool, error) {
	if known.Revision > 0 {
		m, err := l.conn.Message(ctx, jetstream.FlagsStream(l.environment), known.Revision)
		if errors.Is(err, jetstream.ErrNoMessage) || err == nil && changelog.Sum(m.Data) != known.Digest {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return l.conn.Misplaced(ctx, l.environment, known, r)
}

// after returns the tail after entries that are proved.
func (t logTail) after(entries []changelog.Record) logTail {
	for _, r := range entries {
		t.head, t.state = r.Position(), r.State
		t.judged = max(t.judged, r.Revision)
		if r.Kind == document.KindEpoch {
			t.begin = r.Revision
		}
	}
	return t
}

// Sizes of the reads that look for the last entry, from the end backwards.
const (
	findFirst = 1
	findMost  = 4096
)

// find looks for the last entry at or below a sequence, from there backwards, and
// for the beginning of its epoch. A signed entry at its own revision, which continues
// what stands in the log, is one of it, because publishers sign only what continues
// what they have verified. With ErrHole, the tail is that of what is left.
func (l *Log) find(ctx context.Context, last uint64) (logTail, error) {
	if err := l.adoptKeys(ctx); err != nil {
		return logTail{}, err
	}
	r, err := l.newest(ctx, last)
	if err == nil && r.Revision == 0 {
		err = fmt.Errorf("head of %s: no publisher of this installation has signed an entry of it: %w",
			l.environment, jetstream.StreamLost(jetstream.FlagsStream(l.environment)))
	}
	hole := err
	if err != nil && !errors.Is(err, jetstream.ErrHole) {
		return logTail{}, err
	}
	t := logTail{head: r.Position(), state: r.State, judged: last}
	if t.begin, err = l.beginOf(ctx, r.Epoch); err != nil {
		return t, err
	}
	if hole == nil {
		l.remember(t)
	}
	return t, hole
}

// newest returns the last entry at or below a sequence, the zero value if there is
// none. With ErrHole, which tells that a message behind it is missing, it is the last
// that is left.
func (l *Log) newest(ctx context.Context, last uint64) (changelog.Record, error) {
	size, missing := uint64(findFirst), uint64(0)
	for to := last; to > 0; {
		from := to - min(size, to) + 1
		r, read, err := l.newestIn(ctx, from, to)
		if err != nil {
			return r, err
		}
		missing = max(missing, read.missing)
		if r.Revision > 0 {
			return r, hole(missing, r.Revision)
		}
		to, size = from-1, min(size*8, findMost)
	}
	return changelog.Record{}, nil
}

// newestIn returns the newest signed entry among some messages, the zero value if
// there is none, and which messages are there.
func (l *Log) newestIn(ctx context.Context, from, to uint64) (changelog.Record, places, error) {
	var signed []changelog.Record
	read := places{next: from}
	for m, err := range l.conn.Messages(ctx, jetstream.FlagsStream(l.environment), from, to) {
		if err != nil {
			return changelog.Record{}, read, fmt.Errorf("head of %s: %w", l.environment, err)
		}
		read.read(m.Sequence)
		r, err := l.conn.Keyring().OpenEntry(l.environment, m.Entry(l.environment))
		switch {
		case errors.Is(err, changelog.ErrUnreadable):
			return changelog.Record{}, read, fmt.Errorf("head of %s: revision %d: %w", l.environment, m.Sequence, err)
		case err == nil:
			signed = append(signed, r)
		}
	}
	read.read(to + 1)
	for _, r := range slices.Backward(signed) {
		if is, err := l.conn.Misplaced(ctx, l.environment, changelog.Link{}, r); err != nil || !is {
			return r, read, err
		}
	}
	return changelog.Record{}, read, nil
}

// beginOf returns the revision at which an epoch begins, 0 if it is not found.
func (l *Log) beginOf(ctx context.Context, epoch changelog.Epoch) (uint64, error) {
	id := document.ID{Kind: document.KindEpoch, Key: document.EpochKey}
	for r, err := range l.History(ctx, id) {
		if err != nil {
			return 0, err
		}
		if r.Epoch == epoch {
			return r.Revision, nil
		}
	}
	return 0, nil
}

// adoptKeys takes over all keys notes that the log has ever had, so that entries
// which were signed by keys that are retired can be shown.
func (l *Log) adoptKeys(ctx context.Context) error {
	id := document.ID{Kind: document.KindKeys, Key: document.KeysKey}
	for m, err := range l.subjectMessages(ctx, id) {
		if err != nil {
			return err
		}
		l.conn.Adopt(m)
	}
	return nil
}

// remember takes note of the end of the log, unless more of it is known: a head
// that is behind what was judged would let a change be written past others.
func (l *Log) remember(t logTail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.judged < l.known.judged {
		return
	}
	if t.begin == 0 && t.head.Epoch == l.known.head.Epoch {
		t.begin = l.known.begin
	}
	l.known = t
}

func (l *Log) lastKnown() logTail {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

// reset forgets what is known, because another log took its place.
func (l *Log) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = logTail{}
}
