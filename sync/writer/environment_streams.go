package writer

import (
	"context"
	"fmt"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// createUnused is createStreams, but refuses streams that are in use, because
// CONTROL may have lost what it knew of them: only what a Create that was
// interrupted leaves behind is completed.
func (e *Environments) createUnused(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for stream, refuse := range map[string]func(ctx context.Context, c jetstream.Client, name string, last uint64) error{
		jetstream.LedgerStream(name): refuseUsedLedger, jetstream.FlagsStream(name): refuseUsedLog,
	} {
		info, err := e.conn.Info(ctx, stream)
		if err == nil {
			err = refuse(ctx, e.conn, name, info.State.LastSequence)
		}
		if err != nil && !jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
			return "", err
		}
	}
	return e.createStreams(ctx, name, actor)
}

// completeStreams is createStreams, but refuses to make all of them.
func (e *Environments) completeStreams(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for _, stream := range []string{jetstream.FlagsStream(name), jetstream.LedgerStream(name)} {
		switch _, err := e.conn.Info(ctx, stream); {
		case err == nil:
			return e.createStreams(ctx, name, actor)
		case !jetstream.HasCode(err, jetstream.CodeStreamNotFound):
			return "", err
		}
	}
	return "", fmt.Errorf("%w: %q: there are no streams of it to adopt: create it, if the name is right", flagsync.ErrEnvironmentUnknown, name)
}

// createStreams makes the streams of an environment, if need be, and returns the
// epoch that its log begins with.
func (e *Environments) createStreams(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for _, config := range []jetstream.StreamConfig{
		jetstream.LedgerConfig(name, e.replicas), jetstream.SnapConfig(name, e.replicas), jetstream.FlagsConfig(name, e.replicas),
	} {
		if _, err := e.conn.CreateStream(ctx, config); err != nil {
			return "", err
		}
	}
	l := newLog(e.conn, LogOptions{Environment: name, Replicas: e.replicas})
	first, err := l.begin(ctx, actor)
	if err != nil {
		return "", err
	}
	return first.Epoch, nil
}

func forgotten(stream string, sequence uint64) error {
	return fmt.Errorf("%w: %s holds what this installation signed at %d: restore CONTROL from a backup of NATS, "+
		"adopt the environment as it is with \"flagside environment adopt NAME\", or choose another name", ErrEnvironmentForgotten, stream, sequence)
}

// refuseUsedLedger returns [ErrEnvironmentForgotten] for a ledger with a record.
func refuseUsedLedger(ctx context.Context, c jetstream.Client, name string, last uint64) error {
	for m, err := range c.Messages(ctx, jetstream.LedgerStream(name), 1, last) {
		if err != nil {
			return err
		}
		at := changelog.Anchor{Sequence: m.Sequence, Digest: changelog.Sum(m.Data)}
		if c.Keyring().VerifyPastRecord(jetstream.LedgerStream(name), at, changelog.Signature(m.Proof)) == nil {
			return forgotten(jetstream.LedgerStream(name), m.Sequence)
		}
	}
	return nil
}

// refuseUsedLog returns [ErrEnvironmentForgotten] for a log with more than the
// transaction it begins with.
func refuseUsedLog(ctx context.Context, c jetstream.Client, name string, last uint64) error {
	judge := changelog.NewJudge(c.Keyring(), name, changelog.Position{})
	begun := ""
	for m, err := range c.Messages(ctx, jetstream.FlagsStream(name), 1, last) {
		if err != nil {
			return err
		}
		verdict, r := judge.Offer(m.Entry(name))
		switch {
		case verdict == changelog.Unreadable:
			return forgotten(jetstream.FlagsStream(name), m.Sequence)
		case verdict == changelog.Noise || c.Keyring().VerifyPastHead(name, r.Head()) != nil:
			continue
		case begun == "" && r.Prev == changelog.Link{}:
			begun = r.OpID
		case r.OpID != begun:
			return forgotten(jetstream.FlagsStream(name), m.Sequence)
		}
	}
	return nil
}
