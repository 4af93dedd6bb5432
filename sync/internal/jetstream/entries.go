package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// What both sides of the log have to find out about its entries.

// ErrHole means that the log lacks a message that may have been an entry.
var ErrHole = errors.New("the log has a hole")

// Unreadable says what is wrong with a signed entry that cannot be decoded here.
func (c Client) Unreadable(environment string, m Message) error {
	_, err := c.Keyring().OpenEntry(environment, m.Entry(environment))
	if !errors.Is(err, changelog.ErrUnreadable) {
		err = changelog.ErrUnreadable
	}
	return fmt.Errorf("revision %d: %w", m.Sequence, err)
}

// misplacedDepth is how far the entries that one claims to continue are followed
// back.
const misplacedDepth = 64

// Misplaced reports whether a signed entry of a stream does not belong to its log,
// which has an entry at floor and nothing else between that and this one: it was
// signed for a log that has been replaced, and stored again. floor may be zero. It
// is false where the leader lacks a message that would tell, or cannot be asked.
func (c Client) Misplaced(ctx context.Context, environment string, floor changelog.Link, r changelog.Record) (bool, error) {
	for range misplacedDepth {
		if r.Prev.Revision <= floor.Revision {
			return r.Prev != floor, nil
		}
		m, err := c.Message(ctx, FlagsStream(environment), r.Prev.Revision)
		switch {
		case errors.Is(err, ErrNoMessage):
			return false, nil
		case err != nil:
			return false, err
		case changelog.Sum(m.Data) != r.Prev.Digest:
			return true, nil
		}
		// What a signed entry names is as it was signed, and so is what that names.
		if r, err = changelog.DecodeRecord(m.Sequence, m.Data); err != nil {
			return false, nil //nolint:nilerr // a newer format, which is not for us to judge
		}
	}
	return false, nil
}

// AdoptKeys takes over the keys notes that a log has in the place of its newest,
// and among the first messages about them: what is read may be signed by keys that
// only later entries list. Noise may stand there too, so that it is bounded what
// is read.
func (c Client) AdoptKeys(ctx context.Context, environment string) error {
	id := document.ID{Kind: document.KindKeys, Key: document.KeysKey}
	stream, subject := FlagsStream(environment), FlagsSubject(environment)+"."+changelog.Subject(id)
	last, err := c.LastMessage(ctx, stream, subject)
	if errors.Is(err, ErrNoMessage) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keys of %s: %w", environment, err)
	}
	c.Adopt(last)
	first, err := c.Batch(ctx, stream, BatchRequest{Sequence: 1, NextBySubject: subject, Batch: BatchEntries, MaxBytes: BatchBytes})
	if err != nil && !errors.Is(err, ErrNoMessage) {
		return fmt.Errorf("keys of %s: %w", environment, err)
	}
	for _, m := range first {
		c.Adopt(m)
	}
	return nil
}

// Adopt takes over the keys note of a message, if there is one that a root signed.
func (c Client) Adopt(m Message) {
	e, err := changelog.DecodeEntry(m.Data)
	if err != nil {
		return
	}
	if text, err := changelog.KeysText(e.Put); err == nil {
		_ = c.Keyring().Adopt(text) // what no root signed is noise
	}
}
