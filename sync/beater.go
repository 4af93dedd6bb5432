package flagsync

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	beatInterval = time.Second
	// stateBeats is which beat carries the state digest.
	stateBeats = 10
)

// Beater announces the head of a log once a second, as the leader of its stream
// has just answered. It is silent when the leader does not answer, and when
// another publisher has announced the same or more within the second.
type Beater struct {
	log    *Log
	state  func() (changelog.Position, changelog.Digest)
	logger zerolog.Logger
	by     string
	heard  atomic.Pointer[heardBeat]
	count  int  // of ticks since the state digest was sent
	silent bool // since the leader stopped to answer
}

type heardBeat struct {
	beat beat
	at   time.Time
}

// NewBeater returns a beater for l. state returns the position of the
// publisher's own view and its state digest; it is called from Run, and may be
// nil when there is no view.
func NewBeater(l *Log, state func() (changelog.Position, changelog.Digest), logger zerolog.Logger) *Beater {
	return &Beater{log: l, state: state, logger: logger, by: newID(), count: stateBeats - 1}
}

// Run beats until ctx ends, and then returns nil.
func (b *Beater) Run(ctx context.Context) error {
	sub, err := b.log.conn.nats.Subscribe(beatSubject(b.log.environment), b.hear)
	if err != nil {
		return fmt.Errorf("beat of %s: %w", b.log.environment, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails when the connection is closed, which ends it too
	ticks := time.NewTicker(beatInterval)
	defer ticks.Stop()
	for {
		b.tick(ctx)
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// hear remembers the beats of other publishers.
func (b *Beater) hear(msg *nats.Msg) {
	if other, err := decodeBeat(msg.Data); err == nil && other.By != b.by {
		b.heard.Store(&heardBeat{beat: other, at: time.Now()})
	}
}

// tick asks the leader and beats, both within the second.
func (b *Beater) tick(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, beatInterval)
	defer cancel()
	if err := b.announce(within); err != nil && ctx.Err() == nil {
		if !b.silent {
			b.logger.Warn().Err(err).Msg("no beats while the head of the log is not known")
		}
		b.silent = true
		return
	}
	b.silent = false
}

func (b *Beater) announce(ctx context.Context) error {
	b.count++
	head, err := b.log.confirmHead(ctx, b.count >= stateBeats)
	if err != nil {
		return err
	}
	if b.announced(head) {
		return nil
	}
	own := beat{Version: beatVersion, Epoch: head.Epoch, Head: head.Revision, Digest: head.Digest, By: b.by}
	if b.count >= stateBeats && b.state != nil {
		if position, digest := b.state(); position == head {
			own.StateDigest = &digest
			b.count = 0
		}
	}
	data, err := own.encode()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: the answer of the leader is too old: %w", ErrUnreachable, err)
	}
	if err := b.log.conn.nats.Publish(beatSubject(b.log.environment), data); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return nil
}

// announced reports whether another publisher has announced head, or more of
// its epoch, within the second.
func (b *Beater) announced(head changelog.Position) bool {
	heard := b.heard.Load()
	return heard != nil && time.Since(heard.at) < beatInterval &&
		heard.beat.Epoch == head.Epoch && heard.beat.Head >= head.Revision
}

// confirmHead returns the head as a leader with its majority has it. While the
// head does not move it costs one small request, unless the entry is to be read
// anew, lest another log took the place of the one that is known.
func (l *Log) confirmHead(ctx context.Context, anew bool) (changelog.Position, error) {
	stream := flagsStream(l.environment)
	info, err := l.conn.info(ctx, stream)
	if hasCode(err, codeStreamNotFound) {
		return changelog.Position{}, lost(stream)
	}
	if err != nil {
		return changelog.Position{}, err
	}
	if err := info.verifyLease(); err != nil {
		return changelog.Position{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	head := l.lastKnown()
	known := head.Revision == info.State.LastSequence && info.Config.Metadata[metadataEpoch] == string(head.Epoch)
	if known && !anew {
		return head, nil
	}
	m, err := l.conn.message(ctx, stream, info.State.LastSequence)
	if err != nil {
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, err)
	}
	record, err := m.record()
	if err != nil {
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, err)
	}
	l.remember(record.Position())
	return record.Position(), l.restoreEpoch(ctx, info, record.Epoch)
}
