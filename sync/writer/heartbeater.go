package writer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	heartbeatInterval = time.Second
	// confirmHeartbeats is which heartbeat is preceded by a look at the newest entry
	// itself, in case another log took the place of the one that is known.
	confirmHeartbeats = 10
)

// Heartbeater announces the head of a log once a second, as the leader of its stream
// has just answered. It is silent when the leader does not answer, and when
// another publisher has announced the same or more within the second.
type Heartbeater struct {
	log    *Log
	logger zerolog.Logger
	by     string
	heard  atomic.Pointer[heardHeartbeat]
	count  int                    // of ticks since the newest entry was looked at
	sent   uint64                 // heartbeats
	news   changelog.HeartbeatLog // of other publishers; of the goroutine that hears them
	silent bool                   // since the leader stopped to answer
	acks   func() uint32          // the share of sidecars that acknowledge what they serve
	// archived is when the environment was archived; zero while it is in use.
	archived time.Time
}

type heardHeartbeat struct {
	heartbeat changelog.Heartbeat
	at        time.Time
}

// NewHeartbeater returns a beater for l.
func NewHeartbeater(l *Log, logger zerolog.Logger) *Heartbeater {
	return &Heartbeater{log: l, logger: logger, by: newID(), count: confirmHeartbeats - 1, acks: func() uint32 { return 0 }}
}

// AskForAcks has heartbeats name the share of sidecars that are to acknowledge what they
// serve; without it none are. It is called before Run.
func (b *Heartbeater) AskForAcks(share func() uint32) { b.acks = share }

// NewArchivedHeartbeater returns a beater for the log of an environment that was
// archived, so that those who still follow it learn that nothing changes any more.
func NewArchivedHeartbeater(c *flagsync.Conn, o LogOptions, archived time.Time, logger zerolog.Logger) *Heartbeater {
	b := NewHeartbeater(newLog(jetstream.Use(c), o), logger)
	b.archived = archived
	return b
}

// Run sends heartbeats until ctx ends, and then returns nil.
func (b *Heartbeater) Run(ctx context.Context) error {
	sub, err := b.log.conn.Subscribe(jetstream.HeartbeatSubject(b.log.environment), b.hear)
	if err != nil {
		return fmt.Errorf("heartbeats of %s: %w", b.log.environment, err)
	}
	defer sub.Unsubscribe()
	ticks := time.NewTicker(heartbeatInterval)
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

// hear remembers the heartbeats of other publishers.
func (b *Heartbeater) hear(m jetstream.Message) {
	l := b.log
	other, err := changelog.DecodeHeartbeat(l.conn.Keyring(), l.environment, m.Data, changelog.Signature(m.Proof))
	if err == nil && other.By != b.by && b.news.IsNews(other) {
		b.heard.Store(&heardHeartbeat{heartbeat: other, at: time.Now()})
	}
}

// tick asks the leader and sends a heartbeat, both within the second.
func (b *Heartbeater) tick(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, heartbeatInterval)
	defer cancel()
	if err := b.announce(within); err != nil && ctx.Err() == nil {
		if !b.silent {
			b.logger.Warn().Err(err).Msg("heartbeats paused: the head of the change log is not known")
		}
		b.silent = true
		return
	}
	b.silent = false
}

func (b *Heartbeater) announce(ctx context.Context) error {
	b.count++
	h, err := b.log.confirmHead(ctx, b.count >= confirmHeartbeats)
	if err != nil {
		return err
	}
	if b.count >= confirmHeartbeats {
		b.count = 0
	}
	if b.announced(h) {
		return nil
	}
	b.sent++
	h.By, h.N, h.Time = b.by, b.sent, time.Now().UTC()
	h.Ledger, h.Control = b.log.anchors()
	h.Archived, h.Acks = b.archived, b.acks()
	data, signature, err := changelog.EncodeHeartbeat(b.log.conn.Signer(), b.log.environment, h)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: the answer of the leader is too old: %w", flagsync.ErrUnreachable, err)
	}
	m := jetstream.NewOutgoing(jetstream.HeartbeatSubject(b.log.environment), data)
	m.SetProof(string(signature))
	return b.log.conn.Send(m)
}

// announced reports whether another publisher has announced the same, or more of
// its epoch, within the second.
func (b *Heartbeater) announced(h changelog.Heartbeat) bool {
	heard := b.heard.Load()
	return heard != nil && time.Since(heard.at) < heartbeatInterval &&
		heard.heartbeat.Position.Epoch == h.Position.Epoch && heard.heartbeat.Archived.IsZero() == b.archived.IsZero() &&
		heard.heartbeat.Position.Revision >= h.Position.Revision && heard.heartbeat.End >= h.End
}

// confirmHead returns the head as a leader with its majority has it. While the
// stream does not grow it costs one small request, unless the entry is to be read
// again, in case another log took the place of the one that is known.
func (l *Log) confirmHead(ctx context.Context, again bool) (changelog.Heartbeat, error) {
	stream := jetstream.FlagsStream(l.environment)
	info, err := l.conn.Info(ctx, stream)
	if jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
		return changelog.Heartbeat{}, jetstream.StreamLost(stream)
	}
	if err != nil {
		return changelog.Heartbeat{}, err
	}
	if err := info.VerifyLease(); err != nil {
		return changelog.Heartbeat{}, fmt.Errorf("%w: %w", flagsync.ErrUnreachable, err)
	}
	t, err := l.advance(ctx, info.State.LastSequence)
	if err != nil {
		return changelog.Heartbeat{}, err
	}
	if again || t.judged > info.State.LastSequence {
		if err := l.confirmEntry(ctx, t.head); err != nil {
			return changelog.Heartbeat{}, err
		}
	}
	return changelog.Heartbeat{
		Position: t.head, Begin: max(t.begin, 1), First: info.State.FirstSequence, End: info.State.LastSequence,
	}, nil
}

// confirmEntry returns nil if the leader has the entry at a position. Another log
// is looked at from its end the next time.
func (l *Log) confirmEntry(ctx context.Context, p changelog.Position) error {
	m, err := l.conn.Message(ctx, jetstream.FlagsStream(l.environment), p.Revision)
	if err == nil && changelog.Sum(m.Data) != p.Digest || errors.Is(err, jetstream.ErrNoMessage) {
		l.reset()
		err = fmt.Errorf("head of %s: the log does not hold revision %d any more: %w", l.environment, p.Revision, changelog.ErrDifferentHistory)
	}
	return err
}
