package publisher

import (
	"context"
	"sync"

	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// checkpoints remembers why no checkpoint could be written. The zero value is ready for use. It is safe for concurrent use.
type checkpoints struct {
	mu  sync.Mutex
	err error
}

func (c *checkpoints) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// failed returns why the last checkpoint that was due was not written, or nil.
func (c *checkpoints) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// keepCheckpoints appends checkpoints until ctx ends.
func (p *Publisher) keepCheckpoints(ctx context.Context) error {
	return audit.Checkpoints{
		File: p.options.CheckpointFile, Interval: p.options.CheckpointInterval,
		Signer: func() (*changelog.Signer, error) { return p.keys.Current(), p.keys.Retired() },
		Heads:  p.environments.heads,
		Note:   p.noteCheckpoint,
	}.Run(ctx)
}

// noteCheckpoint keeps what became of a checkpoint. A failure at the end of the process is logged, since no condition will show it.
func (p *Publisher) noteCheckpoint(err error) {
	before := p.checkpoints.failed()
	p.checkpoints.note(err)
	if err != nil && (before == nil || before.Error() != err.Error()) {
		p.logger.Error().Err(err).Msg("checkpoint not written")
	}
}

// heads returns how far the streams of all environments that run, the ledgers of archived ones, and CONTROL are known to go. Streams of which nothing is known are left out.
func (e *environments) heads() []changelog.StreamHead {
	var all []changelog.StreamHead
	add := func(stream string, epoch changelog.Epoch, at changelog.Anchor) {
		if !at.IsZero() {
			all = append(all, changelog.StreamHead{Stream: stream, Epoch: epoch, Anchor: at})
		}
	}
	control := e.controlHead()
	for _, running := range e.all() {
		status := running.follower.Status()
		log, ledger := running.heads()
		add(log.Stream, log.Epoch, log.Anchor)
		add(writer.LedgerOf(running.name).Stream(), "", later(ledger, status.Ledger))
		control = later(control, status.Control)
	}
	add(writer.ControlLedger().Stream(), "", control)
	return append(all, e.archived.heads()...)
}

// controlHead returns how far CONTROL was read or written here.
func (e *environments) controlHead() changelog.Anchor {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.list == nil {
		return changelog.Anchor{}
	}
	return e.list.Ledger().Head()
}

// heads returns how far the log was followed or written here, and how far the ledger was read or written.
func (e *environment) heads() (log changelog.StreamHead, ledger changelog.Anchor) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ledger != nil {
		ledger = e.ledger.Head()
	}
	if e.log == nil {
		return log, ledger
	}
	log = e.log.Checkpoint()
	at := e.store.Position()
	if at.Epoch.Later(log.Epoch) || at.Epoch == log.Epoch && at.Revision > log.Sequence {
		log.Epoch, log.Anchor = at.Epoch, changelog.Anchor{Sequence: at.Revision, Digest: at.Digest}
	}
	return log, ledger
}

// later returns the anchor with the higher number.
func later(a, b changelog.Anchor) changelog.Anchor {
	if b.Sequence > a.Sequence {
		return b
	}
	return a
}
