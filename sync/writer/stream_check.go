package writer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// CheckStreams compares the streams of the environments, and those that are
// global, with what they must be: their settings ([ErrStreamMismatch]), and
// whether they still hold everything since their beginning ([ErrLogCut], of a
// journal with [ErrDamaged] until it is repaired). A ledger that is gone is
// [ErrStreamLost]; what follows a log sees by itself when that is. It returns what
// is wrong with each stream, or an error when not all could be looked at.
func (e *Environments) CheckStreams(ctx context.Context, environments []string) (wrong []error, err error) {
	checks := []streamCheck{{config: jetstream.ControlConfig(e.replicas), whole: true, required: true}, {config: jetstream.PeopleConfig(e.replicas)}}
	for _, name := range environments {
		checks = append(checks,
			streamCheck{config: jetstream.FlagsConfig(name, e.replicas), whole: true},
			streamCheck{config: jetstream.LedgerConfig(name, e.replicas), whole: true, required: true},
			streamCheck{config: jetstream.SnapConfig(name, e.replicas)},
		)
	}
	for _, check := range checks {
		found, err := checkStream(ctx, e.conn, check)
		if err != nil {
			return nil, fmt.Errorf("check of %s: %w", check.config.Name, err)
		}
		wrong = append(wrong, found...)
	}
	return wrong, nil
}

// streamCheck is what a stream must be.
type streamCheck struct {
	config   jetstream.StreamConfig
	whole    bool // nothing can be taken out of it
	required bool
}

func checkStream(ctx context.Context, c jetstream.Client, check streamCheck) (wrong []error, err error) {
	info, err := c.Info(ctx, check.config.Name)
	if jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
		if check.required {
			wrong = append(wrong, jetstream.StreamLost(check.config.Name))
		}
		return wrong, nil
	}
	if err != nil {
		return nil, err
	}
	if err := check.config.Verify(info.Config); err != nil {
		wrong = append(wrong, err)
	}
	if err := missing(info.State, check.config.Name); check.whole && err != nil {
		if err = damageOf(ctx, c, check.config.Name, info.State, err); err != nil {
			wrong = append(wrong, err)
		}
	}
	return wrong, nil
}

// damageOf adds what the messages that are missing from a journal do to it: nil
// when nothing that counts is missing, as after a repair.
func damageOf(ctx context.Context, c jetstream.Client, stream string, state jetstream.StreamState, missing error) error {
	name, ok := ledgerName(stream)
	if !ok && beginsLater(ctx, c, stream, state) {
		return nil
	}
	if !ok {
		return missing
	}
	switch err := (&Ledger{conn: c, name: name}).catchUp(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %w", missing, err)
	default:
		return missing
	}
}

// beginsLater reports whether the first message of a log is the entry that it begins
// with, signed for that place, and nothing is missing behind it: see lostStart.
func beginsLater(ctx context.Context, c jetstream.Client, stream string, state jetstream.StreamState) bool {
	environment, ok := strings.CutPrefix(stream, jetstream.FlagsStream(""))
	if !ok || state.Messages != state.LastSequence-state.FirstSequence+1 {
		return false
	}
	m, err := c.Message(ctx, stream, state.FirstSequence)
	if err != nil || c.AdoptKeys(ctx, environment) != nil {
		return false
	}
	r, err := c.Keyring().OpenPastEntry(environment, m.Entry(environment))
	return err == nil && r.Kind == document.KindEpoch && r.Prev == changelog.Link{} && !r.ReplacesEpoch()
}

// missing reports that a stream has lost messages of which none can be removed.
func missing(s jetstream.StreamState, stream string) error {
	switch {
	case s.LastSequence > 0 && s.FirstSequence > 1:
		return fmt.Errorf("%w: %s begins at %d and must begin at 1; restore it from a backup, and find out who can change streams on the NATS server",
			ErrLogCut, stream, s.FirstSequence)
	case s.Messages < s.LastSequence:
		return fmt.Errorf("%w: %s lacks %d of its %d messages; restore it from a backup, and find out who can change streams on the NATS server",
			ErrLogCut, stream, s.LastSequence-s.Messages, s.LastSequence)
	default:
		return nil
	}
}
