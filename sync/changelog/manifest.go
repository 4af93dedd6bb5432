package changelog

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
)

const (
	// manifestVersion is the schema version of a manifest.
	manifestVersion = 2
	// keptSnapshots is how many of the newest snapshots a manifest names.
	keptSnapshots = 2
	// ChunkBytes is the size of all chunks of a published snapshot but the last.
	ChunkBytes = 512 << 10
	// maxSnapshot bounds what a manifest may promise, in bytes.
	maxSnapshot = 64 << 30
)

// Manifest names the published snapshots of an environment, the newest first. The zero value names none.
type Manifest struct {
	Version   int                 `json:"v"`
	Keys      string              `json:"keys,omitzero"` // the keys note that lists who signed it, for those who know none
	Snapshots []PublishedSnapshot `json:"snapshots"`
}

// PublishedSnapshot is a snapshot in chunks.
type PublishedSnapshot struct {
	Epoch    Epoch  `json:"epoch"`
	Revision uint64 `json:"revision"`
	Digest   Digest `json:"digest"`   // of the entry at Revision
	State    Digest `json:"state"`    // that was signed with the entry
	Count    int    `json:"count"`    // of documents
	Bytes    int64  `json:"bytes"`    // of all chunks together
	Chunks   int    `json:"chunks"`   // each of ChunkBytes, but the last
	Hash     Digest `json:"hash"`     // of all chunks together
	LogBytes uint64 `json:"logBytes"` // of the log when the snapshot was published
}

// Position returns the position at which the snapshot was taken.
func (p PublishedSnapshot) Position() Position {
	return Position{Epoch: p.Epoch, Revision: p.Revision, Digest: p.Digest}
}

// Subject returns what the subjects of its chunks begin with, below that of all chunks: three tokens.
func (p PublishedSnapshot) Subject() string {
	return string(p.Epoch) + "." + strconv.FormatUint(p.Revision, 10) + "." + p.Hash.String()
}

func (p PublishedSnapshot) validate() error {
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
	case int64(p.Chunks) != (p.Bytes+ChunkBytes-1)/ChunkBytes:
		return fmt.Errorf("%d bytes in %d chunks", p.Bytes, p.Chunks)
	}
	return nil
}

func (m Manifest) validate() error {
	if m.Version != manifestVersion {
		return fmt.Errorf("manifest: format %d: %w", m.Version, ErrVersion)
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

// Newest returns the newest snapshot, and the zero value when there is none.
func (m Manifest) Newest() PublishedSnapshot {
	if len(m.Snapshots) == 0 {
		return PublishedSnapshot{}
	}
	return m.Snapshots[0]
}

// With returns the manifest after p was published. m stays as it is.
func (m Manifest) With(p PublishedSnapshot) Manifest {
	kept := m.Snapshots[:min(len(m.Snapshots), keptSnapshots-1)]
	return Manifest{Keys: m.Keys, Snapshots: append([]PublishedSnapshot{p}, kept...)}
}

// EncodeManifest returns the bytes of a manifest and their signature. The version is set.
func EncodeManifest(s *Signer, environment string, m Manifest) ([]byte, Signature, error) {
	m.Version = manifestVersion
	if err := m.validate(); err != nil {
		return nil, "", err
	}
	return encodeSigned(s, signedManifest, environment, m)
}

// SignManifest signs the bytes of a manifest, whatever they say.
func (s *Signer) SignManifest(environment string, data []byte) (Signature, error) {
	if s == nil {
		return "", errNoSigner
	}
	return s.sign(documentText(signedManifest, s.installation, environment, Sum(data)))
}

// DecodeManifest decodes a manifest that a publisher signed, and adopts the keys note in it. It fails with [ErrUnsigned] for all others.
// Unknown members are ignored, because it will grow.
func DecodeManifest(k *Keyring, environment string, data []byte, signature Signature) (Manifest, error) {
	var m Manifest
	if json.Unmarshal(data, &m) == nil && m.Keys != "" {
		_ = k.Adopt(m.Keys) // a root signed it, or it says nothing
	}
	m = Manifest{}
	if err := decodeSigned(k, signedManifest, environment, data, signature, &m); err != nil {
		return Manifest{}, err
	}
	return m, m.validate()
}
