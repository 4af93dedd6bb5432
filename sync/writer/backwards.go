package writer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// How many sequences are read at a time from the end of a log: few at first, because mostly
// the last ones are asked for, then twice as many each time.
const (
	fewestBackwards = 32
	mostBackwards   = 256
)

// Backwards returns the entries before a revision, newest first; zero is the end of
// the log when it begins. They come without their documents, which may be large. As with [Log.History], each was signed by a key that a keys
// note of the log lists or has listed, so that the past can be shown. It ends with
// the first error.
func (l *Log) Backwards(ctx context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		info, err := l.conn.Info(ctx, jetstream.FlagsStream(l.environment))
		if err != nil {
			yield(changelog.Record{}, fmt.Errorf("read %s: %w", l.environment, err))
			return
		}
		to := info.State.LastSequence
		if before > 0 {
			to = min(to, before-1)
		}
		page := uint64(fewestBackwards)
		for first := max(info.State.FirstSequence, 1); to >= first; page = min(2*page, mostBackwards) {
			from := max(first, to-min(to, page)+1)
			records, err := l.signedBetween(ctx, from, to)
			if err != nil {
				yield(changelog.Record{}, fmt.Errorf("read %s: %w", l.environment, err))
				return
			}
			for _, r := range slices.Backward(records) {
				if !yield(r, nil) {
					return
				}
			}
			to = from - 1
		}
	}
}

// signedBetween returns the entries of a part of the stream, oldest first, without
// their documents. Noise, and what cannot be decoded here, is left out.
func (l *Log) signedBetween(ctx context.Context, from, to uint64) ([]changelog.Record, error) {
	var records []changelog.Record
	for m, err := range l.conn.Messages(ctx, jetstream.FlagsStream(l.environment), from, to) {
		if err != nil {
			return nil, err
		}
		r, err := l.conn.Keyring().OpenPastEntry(l.environment, m.Entry(l.environment))
		if errors.Is(err, changelog.ErrUnsigned) || errors.Is(err, changelog.ErrUnreadable) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.Put = nil
		records = append(records, r)
	}
	return records, nil
}
