package flagsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

func manifestSubject(environment string) string { return snapSubject(environment) + ".manifest" }
func chunkSubject(environment string) string    { return snapSubject(environment) + ".chunk" }

// leaderManifest returns the manifest as the leader has it, with its sequence. It
// has no snapshots when there is none that a publisher signed.
func (c *Conn) leaderManifest(ctx context.Context, environment string) (changelog.Manifest, uint64, error) {
	found, err := c.lastMessage(ctx, snapStream(environment), manifestSubject(environment))
	if errors.Is(err, errNoMessage) {
		return changelog.Manifest{}, 0, nil
	}
	if err != nil {
		return changelog.Manifest{}, 0, err
	}
	m, err := changelog.DecodeManifest(c.keys, environment, found.Data, changelog.Signature(found.Proof))
	if err != nil {
		return changelog.Manifest{}, found.Sequence, nil //nolint:nilerr // it is noise, and the next one takes its place
	}
	return m, found.Sequence, nil
}

// manifest returns the manifest as any replica has it, which may be behind. It
// has no snapshots when there is none.
func (c *Conn) manifest(ctx context.Context, environment string) (changelog.Manifest, error) {
	found, err := c.newestData(ctx, snapStream(environment), manifestSubject(environment))
	switch {
	case errors.Is(err, errNoMessage), errors.Is(err, nats.ErrNoResponders):
		return changelog.Manifest{}, nil // the stream does not exist, or is empty
	case err != nil:
		return changelog.Manifest{}, fmt.Errorf("manifest of %s: %w", environment, err)
	}
	m, err := changelog.DecodeManifest(c.keys, environment, found.Data, changelog.Signature(proofOf(found.Header)))
	if err != nil {
		return changelog.Manifest{}, nil //nolint:nilerr // what no publisher signed is none
	}
	return m, nil
}

// newestData returns the newest message of a subject from whichever replica
// answers; errNoMessage when that has none.
func (c *Conn) newestData(ctx context.Context, stream, subject string) (*nats.Msg, error) {
	reply, err := c.ask(ctx, &nats.Msg{Subject: c.api() + "DIRECT.GET." + stream + "." + subject}, requestTimeout)
	if err != nil {
		return nil, err
	}
	switch status := statusOf(reply.Header); status {
	case "":
		return reply, nil
	case statusNotFound:
		return nil, errNoMessage
	default:
		return nil, fmt.Errorf("read %s: status %s %s", stream, status, reply.Header.Get("Description"))
	}
}
