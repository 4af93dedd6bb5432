package flagsync

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
)

// beatVersion is the schema version of a beat.
const beatVersion = 1

// beat says where a log ends, as its leader answered within the last second.
type beat struct {
	Version     int               `json:"v"`
	Epoch       changelog.Epoch   `json:"epoch"`
	Head        uint64            `json:"head"`
	Digest      changelog.Digest  `json:"digest"`          // of the entry at Head
	StateDigest *changelog.Digest `json:"state,omitempty"` // of the documents at Head, now and then
	By          string            `json:"by"`              // random id of the publisher's process
}

func (b beat) position() changelog.Position {
	return changelog.Position{Epoch: b.Epoch, Revision: b.Head, Digest: b.Digest}
}

func (b beat) encode() ([]byte, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("beat: %w", err)
	}
	return data, nil
}

func decodeBeat(data []byte) (beat, error) {
	var b beat
	if err := json.Unmarshal(data, &b, json.RejectUnknownMembers(true)); err != nil {
		return beat{}, fmt.Errorf("beat: %w", err)
	}
	return b, b.validate()
}

func (b beat) validate() error {
	switch {
	case b.Version != beatVersion:
		return fmt.Errorf("beat: %w: %d", changelog.ErrVersion, b.Version)
	case b.Head == 0:
		return errors.New("beat: a log without an entry has none")
	case b.Digest.IsZero():
		return errors.New("beat: no digest")
	case b.By == "" || len(b.By) > 64:
		return fmt.Errorf("beat: sent by %q, want 1 to 64 characters", b.By)
	}
	if err := b.Epoch.Validate(); err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	return nil
}
