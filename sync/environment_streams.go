package flagsync

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// createUnused is createStreams, but refuses streams that are in use, because
// CONTROL may have lost what it knew of them: only what a Create that was
// interrupted leaves behind is completed.
func (e *Environments) createUnused(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for stream, refuse := range map[string]func(ctx context.Context, c Client, name string, last uint64) error{
		ledgerStream(name): refuseUsedLedger, flagsStream(name): refuseUsedLog,
	} {
		info, err := e.conn.info(ctx, stream)
		if err == nil {
			err = refuse(ctx, e.conn, name, info.State.LastSequence)
		}
		if err != nil && !hasCode(err, codeStreamNotFound) {
			return "", err
		}
	}
	return e.createStreams(ctx, name, actor)
}

// completeStreams is createStreams, but refuses to make all of them.
func (e *Environments) completeStreams(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for _, stream := range []string{flagsStream(name), ledgerStream(name)} {
		switch _, err := e.conn.info(ctx, stream); {
		case err == nil:
			return e.createStreams(ctx, name, actor)
		case !hasCode(err, codeStreamNotFound):
			return "", err
		}
	}
	return "", fmt.Errorf("%w: %q: there are no streams of it to adopt: create it, if the name is right", ErrEnvironmentUnknown, name)
}

// createStreams makes the streams of an environment, if need be, and returns the
// epoch that its log begins with.
func (e *Environments) createStreams(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for _, config := range []streamConfig{
		ledgerConfig(name, e.replicas), snapConfig(name, e.replicas), flagsConfig(name, e.replicas),
	} {
		if _, err := e.conn.createStream(ctx, config); err != nil {
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
func refuseUsedLedger(ctx context.Context, c Client, name string, last uint64) error {
	for m, err := range c.messages(ctx, ledgerStream(name), 1, last) {
		if err != nil {
			return err
		}
		at := changelog.Anchor{Sequence: m.Sequence, Digest: changelog.Sum(m.Data)}
		if c.Keyring().VerifyPastRecord(ledgerStream(name), at, changelog.Signature(m.Proof)) == nil {
			return forgotten(ledgerStream(name), m.Sequence)
		}
	}
	return nil
}

// refuseUsedLog returns [ErrEnvironmentForgotten] for a log with more than the
// transaction it begins with.
func refuseUsedLog(ctx context.Context, c Client, name string, last uint64) error {
	judge := changelog.NewJudge(c.Keyring(), name, changelog.Position{})
	begun := ""
	for m, err := range c.messages(ctx, flagsStream(name), 1, last) {
		if err != nil {
			return err
		}
		verdict, r := judge.Offer(m.entry(name))
		switch {
		case verdict == changelog.Unreadable:
			return forgotten(flagsStream(name), m.Sequence)
		case verdict == changelog.Noise || c.Keyring().VerifyPastHead(name, r.Head()) != nil:
			continue
		case begun == "" && r.Prev == changelog.Link{}:
			begun = r.OpID
		case r.OpID != begun:
			return forgotten(flagsStream(name), m.Sequence)
		}
	}
	return nil
}
