package publisher

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// What makes a publisher read its policies.
const (
	policyAtStart  = "start"
	policyReloaded = "reload"
)

// policyNoteTimeout bounds how long one try to record the policies takes.
const policyNoteTimeout = 5 * time.Second

// policyNotes record in CONTROL which policies are in force here: once at the start, and each time they change.
type policyNotes struct {
	acts   *access.Acts
	logger zerolog.Logger
	// prepare returns why nothing can be recorded now.
	prepare func(context.Context) error
	cause   string           // of the next record
	noted   changelog.Digest // zero before the first
	logged  string           // why the last try failed
}

// note records the policies with a digest, unless it has. What fails is tried again with the next call.
func (n *policyNotes) note(ctx context.Context, digest changelog.Digest) {
	if digest == n.noted {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, policyNoteTimeout)
	defer cancel()
	err := n.prepare(ctx)
	if err == nil {
		host, _ := os.Hostname() // without a name the record says less
		err = n.acts.NotePolicy(ctx, digest, host, n.cause)
	}
	if err == nil {
		n.noted, n.cause, n.logged = digest, policyReloaded, ""
		return
	}
	notReady := errors.Is(err, access.ErrActsNotReady) || errors.Is(err, access.ErrNotReady) || errors.Is(err, control.ErrNotReady)
	if !notReady && err.Error() != n.logged {
		n.logged = err.Error()
		n.logger.Warn().Err(err).Msg("policies in force not recorded in CONTROL, trying again")
	}
}

// verifyControl returns why nothing is to be appended to CONTROL unasked: the logs of all environments, which name how far it went, were not read
// yet; or it is not what it was. A record would hide that others were cut off, or damage another CONTROL that took its place.
func (p *Publisher) verifyControl(ctx context.Context) error {
	if err := p.unready(); err != nil {
		return err
	}
	list, err := p.environments.opened()
	if err != nil {
		return err
	}
	p.environments.expect(list)
	journal := list.Ledger()
	if err := journal.Verify(ctx); err != nil {
		return err
	}
	if head := journal.Head(); !head.IsZero() {
		_, err = journal.Record(ctx, head.Sequence) // which compares it
	}
	return err
}

// followActs keeps what CONTROL says was done to the installation current until ctx ends.
func (p *Publisher) followActs(ctx context.Context, conn *flagsync.Conn) error {
	return p.keepReading(ctx, "what was done to the installation cannot be read", func(ctx context.Context) error {
		list, err := p.environments.open(ctx, conn)
		if err != nil {
			return err
		}
		return p.gate.acts.Run(ctx, list.Ledger())
	})
}
