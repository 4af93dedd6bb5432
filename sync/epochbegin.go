package flagsync

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// epochBegin says where an epoch begins. The zero value is not known.
type epochBegin struct {
	epoch    changelog.Epoch
	revision uint64
}

// newestEpoch returns the entry that the newest epoch of a log begins with, as far
// as anything proves it: a heartbeat names it, or it is signed itself and stands
// at one of the revisions or is the newest entry about an epoch. It returns
// errNoMessage when there is none. Nothing follows from that: noise may stand in
// the place of the newest.
func (c *Conn) newestEpoch(ctx context.Context, environment string, named epochBegin, at ...uint64) (changelog.Record, error) {
	if err := c.adoptKeys(ctx, environment); err != nil {
		return changelog.Record{}, err
	}
	var newest changelog.Record
	consider := func(m storedMessage, err error) error {
		if err != nil {
			return err
		}
		r, err := c.keys.OpenEntry(environment, m.entry(environment))
		if err != nil && m.Sequence == named.revision {
			r, err = changelog.OpenNamedEntry(environment, named.epoch, m.entry(environment))
		}
		if err == nil && r.Kind == document.KindEpoch && r.Epoch.Later(newest.Epoch) {
			newest = r
		}
		return nil
	}
	stream := flagsStream(environment)
	for _, revision := range append(at, named.revision) {
		if revision == 0 {
			continue
		}
		if err := consider(c.message(ctx, stream, revision)); err != nil && !errors.Is(err, errNoMessage) {
			return newest, err
		}
	}
	id := document.ID{Kind: document.KindEpoch, Key: document.EpochKey}
	err := consider(c.lastMessage(ctx, stream, flagsSubject(environment)+"."+changelog.Subject(id)))
	if err != nil && !errors.Is(err, errNoMessage) {
		return newest, fmt.Errorf("newest epoch of %s: %w", environment, err)
	}
	if newest.Revision == 0 {
		return newest, errNoMessage
	}
	return newest, nil
}

// beginOf returns the entry that an epoch begins with, of which something signed is
// known. Its own key may be retired, or be listed by a later entry only: what
// follows has to prove it. Epochs are random, so that nothing which names one comes
// before it. It returns errNoMessage when it is not there.
func (c *Conn) beginOf(ctx context.Context, environment string, epoch changelog.Epoch) (changelog.Record, error) {
	id := document.ID{Kind: document.KindEpoch, Key: document.EpochKey}
	for m, err := range c.aboutSubject(ctx, flagsStream(environment), flagsSubject(environment)+"."+changelog.Subject(id)) {
		if err != nil {
			return changelog.Record{}, fmt.Errorf("begin of epoch %s of %s: %w", epoch.Short(), environment, err)
		}
		if r, err := changelog.OpenNamedEntry(environment, epoch, m.entry(environment)); err == nil {
			return r, nil
		}
	}
	return changelog.Record{}, errNoMessage
}

// aboutSubject yields the messages of a subject in order, as any replica has them,
// and what that lacks as the leader has it.
func (c *Conn) aboutSubject(ctx context.Context, stream, subject string) iter.Seq2[storedMessage, error] {
	return func(yield func(storedMessage, error) bool) {
		for next := uint64(1); ; {
			found, err := c.batch(ctx, stream, batchRequest{Sequence: next, NextBySubject: subject, Batch: batchEntries, MaxBytes: batchBytes})
			if errors.Is(err, errNoMessage) {
				err = nil
			}
			if err == nil && len(found) == 0 {
				var m storedMessage
				if m, err = c.getMessage(ctx, stream, messageRequest{Sequence: next, NextBySubject: subject}); errors.Is(err, errNoMessage) {
					return
				}
				found = append(found, m)
			}
			if err != nil {
				yield(storedMessage{}, err)
				return
			}
			for _, m := range found {
				if next = m.Sequence + 1; !yield(m, nil) {
					return
				}
			}
		}
	}
}

// adoptKeys takes over the keys notes that a log has in the place of its newest,
// and among the first messages about them: what is read may be signed by keys that
// only later entries list. Noise may stand there too, so that it is bounded what
// is read.
func (c *Conn) adoptKeys(ctx context.Context, environment string) error {
	id := document.ID{Kind: document.KindKeys, Key: document.KeysKey}
	stream, subject := flagsStream(environment), flagsSubject(environment)+"."+changelog.Subject(id)
	last, err := c.lastMessage(ctx, stream, subject)
	if errors.Is(err, errNoMessage) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keys of %s: %w", environment, err)
	}
	c.adopt(last)
	first, err := c.batch(ctx, stream, batchRequest{Sequence: 1, NextBySubject: subject, Batch: batchEntries, MaxBytes: batchBytes})
	if err != nil && !errors.Is(err, errNoMessage) {
		return fmt.Errorf("keys of %s: %w", environment, err)
	}
	for _, m := range first {
		c.adopt(m)
	}
	return nil
}

// adopt takes over the keys note of a message, if there is one that a root signed.
func (c *Conn) adopt(m storedMessage) {
	e, err := changelog.DecodeEntry(m.Data)
	if err != nil {
		return
	}
	if text, err := changelog.KeysText(e.Put); err == nil {
		_ = c.keys.Adopt(text) // what no root signed is noise
	}
}
