package flagsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

// Append appends a fact, which is JSON, after the one with the sequence base, 0
// being none, and returns its own sequence. It tries, and asks the leader, until
// the outcome is known or ctx ends, which is [ErrUndecided] unless nothing was
// sent. [ErrConflict] tells that another fact follows base.
//
// An op-id names one append: repeating it with the same base stores nothing
// twice.
func (j *Journal) Append(ctx context.Context, base uint64, opID string, fact []byte) (uint64, error) {
	sequence, err := j.append(ctx, base, opID, fact)
	if err != nil {
		return 0, fmt.Errorf("append to %s after %d: %w", j.name.stream, base, err)
	}
	return sequence, nil
}

func (j *Journal) append(ctx context.Context, base uint64, opID string, fact []byte) (uint64, error) {
	prev, err := j.digestAt(ctx, base)
	if err != nil {
		return 0, err
	}
	data, err := factEnvelope{Version: journalVersion, OpID: opID, Prev: prev, Fact: fact}.encode()
	if err != nil {
		return 0, err
	}
	msg := nats.NewMsg(j.name.subject)
	msg.Data = data
	msg.Header.Set(headerMessageID, opID)
	msg.Header.Set(headerExpectedLastSubject, strconv.FormatUint(base, 10))
	sequence, err := j.send(ctx, msg, base, opID)
	if err == nil {
		j.remember(link{sequence, changelog.Sum(data)})
	}
	return sequence, err
}

// digestAt returns the digest of the fact with a sequence, 0 being none.
func (j *Journal) digestAt(ctx context.Context, sequence uint64) (changelog.Digest, error) {
	if sequence == 0 {
		return changelog.Digest{}, nil
	}
	j.mu.Lock()
	known := j.known
	j.mu.Unlock()
	if known.sequence == sequence {
		return known.digest, nil
	}
	m, err := j.conn.message(ctx, j.name.stream, sequence)
	switch {
	case errors.Is(err, errNoMessage), err == nil && m.Subject != j.name.subject:
		return changelog.Digest{}, fmt.Errorf("there is no fact %d: %w", sequence, changelog.ErrDifferentHistory)
	case err != nil:
		return changelog.Digest{}, err
	}
	return changelog.Sum(m.Data), nil
}

// send publishes until it is known what follows base.
func (j *Journal) send(ctx context.Context, msg *nats.Msg, base uint64, opID string) (uint64, error) {
	if !j.conn.Connected() {
		return 0, errNoConnection
	}
	var pauses backoff
	for first := true; ; first = false {
		ack, err := j.conn.publish(ctx, msg, publishTimeout+uploadTime(len(msg.Data)))
		switch {
		case err == nil && !ack.Duplicate:
			return ack.Sequence, nil
		case err == nil && ack.Sequence <= base:
			return 0, fmt.Errorf("op-id %s was used for the fact at %d", opID, ack.Sequence)
		}
		if err != nil && first && !undecided(err) {
			return 0, err // nothing of it was ever stored
		}
		var sequence uint64
		lookup := err
		if !untaken(err) {
			sequence, lookup = j.resolve(ctx, base, opID)
		}
		if lookup == nil || errors.Is(lookup, ErrConflict) {
			return sequence, lookup
		}
		if !pauses.wait(ctx) {
			return 0, fmt.Errorf("%w: %w", ErrUndecided, errors.Join(err, lookup))
		}
	}
}

// resolve asks the leader which fact follows base.
func (j *Journal) resolve(ctx context.Context, base uint64, opID string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	m, err := j.conn.getMessage(ctx, j.name.stream, messageRequest{Sequence: base + 1, NextBySubject: j.name.subject})
	if err != nil {
		return 0, err
	}
	e, err := decodeFactEnvelope(m.Data)
	if err != nil || e.OpID != opID {
		return 0, ErrConflict // what cannot be read is not ours
	}
	return m.Sequence, nil
}
