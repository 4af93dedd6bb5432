package flagsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	// manifestVersion is the schema version of a manifest.
	manifestVersion = 2
	// keptSnapshots is how many of the newest snapshots a manifest names.
	keptSnapshots = 2
	// chunkBytes is the size of all chunks but the last.
	chunkBytes = 512 << 10
	// maxSnapshot bounds what a manifest may promise, in bytes.
	maxSnapshot = 64 << 30
)

// manifest names the published snapshots of an environment, the newest first.
type manifest struct {
	Version   int                 `json:"v"`
	Keys      string              `json:"keys,omitzero"` // the keys note that lists who signed it, for those who know none
	Snapshots []publishedSnapshot `json:"snapshots"`
}

// publishedSnapshot is a snapshot in chunks.
type publishedSnapshot struct {
	Epoch    changelog.Epoch  `json:"epoch"`
	Revision uint64           `json:"revision"`
	Digest   changelog.Digest `json:"digest"`   // of the entry at Revision
	State    changelog.Digest `json:"state"`    // that was signed with the entry
	Count    int              `json:"count"`    // of documents
	Bytes    int64            `json:"bytes"`    // of all chunks together
	Chunks   int              `json:"chunks"`   // each of chunkBytes, but the last
	Hash     changelog.Digest `json:"hash"`     // of all chunks together
	LogBytes uint64           `json:"logBytes"` // of the log when the snapshot was published
}

func (p publishedSnapshot) position() changelog.Position {
	return changelog.Position{Epoch: p.Epoch, Revision: p.Revision, Digest: p.Digest}
}

// subject returns what the subjects of the chunks begin with.
func (p publishedSnapshot) subject(environment string) string {
	return chunkSubject(environment) + "." + string(p.Epoch) + "." + strconv.FormatUint(p.Revision, 10) + "." + p.Hash.String()
}

func manifestSubject(environment string) string { return snapSubject(environment) + ".manifest" }
func chunkSubject(environment string) string    { return snapSubject(environment) + ".chunk" }

func (p publishedSnapshot) validate() error {
	if err := p.Epoch.Validate(); err != nil {
		return err
	}
	switch {
	case p.Revision == 0 || p.Digest.IsZero() || p.State.IsZero() || p.Hash.IsZero():
		return errors.New("a position, a state or a hash is missing")
	case p.Count < 0:
		return fmt.Errorf("%d documents", p.Count)
	case p.Bytes <= 0 || p.Bytes > maxSnapshot:
		return fmt.Errorf("%d bytes", p.Bytes)
	case int64(p.Chunks) != (p.Bytes+chunkBytes-1)/chunkBytes:
		return fmt.Errorf("%d bytes in %d chunks", p.Bytes, p.Chunks)
	}
	return nil
}

func (m manifest) validate() error {
	if m.Version != manifestVersion {
		return fmt.Errorf("manifest: %w: %d", changelog.ErrVersion, m.Version)
	}
	if len(m.Snapshots) == 0 || len(m.Snapshots) > keptSnapshots {
		return fmt.Errorf("manifest: %d snapshots, want 1 to %d", len(m.Snapshots), keptSnapshots)
	}
	for _, p := range m.Snapshots {
		if err := p.validate(); err != nil {
			return fmt.Errorf("manifest: snapshot at revision %d: %w", p.Revision, err)
		}
	}
	return nil
}

// newest returns the newest snapshot, and the zero value when there is none.
func (m manifest) newest() publishedSnapshot {
	if len(m.Snapshots) == 0 {
		return publishedSnapshot{}
	}
	return m.Snapshots[0]
}

// with returns the manifest after p was published.
func (m manifest) with(p publishedSnapshot) manifest {
	kept := m.Snapshots[:min(len(m.Snapshots), keptSnapshots-1)]
	return manifest{Version: manifestVersion, Keys: m.Keys, Snapshots: append([]publishedSnapshot{p}, kept...)}
}

func (m manifest) encode(s *changelog.Signer, environment string) ([]byte, changelog.Signature, error) {
	if err := m.validate(); err != nil {
		return nil, "", err
	}
	return changelog.EncodeManifest(s, environment, m)
}

// decodeManifest decodes a manifest that a publisher signed. Unknown members are
// ignored, because it will grow.
func decodeManifest(keys *changelog.Keyring, environment string, data []byte, s changelog.Signature) (manifest, error) {
	var m manifest
	if json.Unmarshal(data, &m) == nil && m.Keys != "" {
		_ = keys.Adopt(m.Keys) // a root signed it, or it says nothing
	}
	m = manifest{}
	if err := changelog.DecodeManifest(keys, environment, data, s, &m); err != nil {
		return manifest{}, err
	}
	return m, m.validate()
}

// leaderManifest returns the manifest as the leader has it, with its sequence. It
// has no snapshots when there is none that a publisher signed.
func (c *Conn) leaderManifest(ctx context.Context, environment string) (manifest, uint64, error) {
	found, err := c.lastMessage(ctx, snapStream(environment), manifestSubject(environment))
	if errors.Is(err, errNoMessage) {
		return manifest{}, 0, nil
	}
	if err != nil {
		return manifest{}, 0, err
	}
	m, err := decodeManifest(c.keys, environment, found.Data, changelog.Signature(found.Proof))
	if err != nil {
		return manifest{}, found.Sequence, nil //nolint:nilerr // it is noise, and the next one takes its place
	}
	return m, found.Sequence, nil
}

// manifest returns the manifest as any replica has it, which may be behind. It
// has no snapshots when there is none.
func (c *Conn) manifest(ctx context.Context, environment string) (manifest, error) {
	found, err := c.newestData(ctx, snapStream(environment), manifestSubject(environment))
	switch {
	case errors.Is(err, errNoMessage), errors.Is(err, nats.ErrNoResponders):
		return manifest{}, nil // the stream does not exist, or is empty
	case err != nil:
		return manifest{}, fmt.Errorf("manifest of %s: %w", environment, err)
	}
	m, err := decodeManifest(c.keys, environment, found.Data, changelog.Signature(proofOf(found.Header)))
	if err != nil {
		return manifest{}, nil //nolint:nilerr // what no publisher signed is none
	}
	return m, nil
}

// newestData returns the newest message of a subject from whichever replica
// answers; errNoMessage when that has none.
func (c *Conn) newestData(ctx context.Context, stream, subject string) (*nats.Msg, error) {
	reply, err := c.ask(ctx, &nats.Msg{Subject: c.api + "DIRECT.GET." + stream + "." + subject}, requestTimeout)
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
