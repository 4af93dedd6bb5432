package changelog

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-json-experiment/json"
)

// Heartbeat says where a log ends, as its leader answered within the last
// second. Unknown members are ignored, because it will grow.
type Heartbeat struct {
	Version  int      `json:"v"`
	Position Position `json:"position"` // of the last valid entry
	Begin    uint64   `json:"begin"`    // revision of the entry that the epoch began with
	First    uint64   `json:"first"`    // first sequence of the stream
	End      uint64   `json:"end"`      // last sequence of the stream; what is behind Position is noise
	Ledger   Anchor   `json:"ledger,omitzero"`
	Control  Anchor   `json:"control,omitzero"`
	// Archived is when the environment was archived; zero while it is in use.
	Archived time.Time `json:"archived,omitzero"`
	// Acks is the share of the sidecars that tell at once when they serve another
	// revision, see [github.com/flagside/flagside/sync/status.Within]; 0 is none.
	Acks uint32 `json:"acks,omitzero"`

	By   string    `json:"by"` // random id of the publisher's process
	N    uint64    `json:"n"`  // grows with every heartbeat of the process
	Time time.Time `json:"time"`
}

// EncodeHeartbeat returns the bytes of a heartbeat and their signature.
func EncodeHeartbeat(s *Signer, environment string, h Heartbeat) ([]byte, Signature, error) {
	h.Version = Version
	if err := h.validate(); err != nil {
		return nil, "", err
	}
	return encodeSigned(s, signedHeartbeat, environment, h)
}

// DecodeHeartbeat decodes a heartbeat that a publisher signed. It fails with
// [ErrUnsigned] for all others.
func DecodeHeartbeat(k *Keyring, environment string, data []byte, signature Signature) (Heartbeat, error) {
	if err := verifyDocument(k, signedHeartbeat, environment, data, signature); err != nil {
		return Heartbeat{}, err
	}
	h, ok := readHeartbeat(data)
	if !ok {
		h = Heartbeat{}
		if err := json.Unmarshal(data, &h); err != nil {
			return Heartbeat{}, fmt.Errorf("%s: %w", signedHeartbeat, err)
		}
	}
	return h, h.validate()
}

// readHeartbeat is readCanonical for heartbeats.
func readHeartbeat(data []byte) (h Heartbeat, ok bool) {
	s := scanner{rest: data}
	h.Version = int(s.number(`{"v":`))
	h.Position.Epoch = Epoch(s.text(`,"position":{"epoch":`))
	h.Position.Revision = s.numberAndDigest(`,"revision":`, &h.Position.Digest)
	h.Begin = s.number(`,"begin":`)
	h.First = s.number(`,"first":`)
	h.End = s.number(`,"end":`)
	h.Ledger, h.Control = s.anchors()
	if s.has(`,"acks":`) {
		h.Acks = uint32(min(s.number(`,"acks":`), math.MaxUint32))
	}
	h.By = string(s.text(`,"by":`))
	h.N = s.number(`,"n":`)
	h.Time = s.time(`,"time":`)
	s.skip("}")
	return h, s.done()
}

func (h Heartbeat) validate() error {
	switch {
	case h.Version != Version:
		return fmt.Errorf("heartbeat: format %d: %w", h.Version, ErrVersion)
	case h.Position.Revision == 0 || h.Position.Digest.IsZero():
		return errors.New("heartbeat: a log without an entry has none")
	case h.End < h.Position.Revision || h.Begin == 0 || h.Begin > h.Position.Revision:
		return fmt.Errorf("heartbeat: revision %d of a log from %d to %d", h.Position.Revision, h.Begin, h.End)
	case h.By == "" || len(h.By) > 64:
		return fmt.Errorf("heartbeat: sent by %q, want 1 to 64 characters", h.By)
	}
	if err := h.Position.Epoch.Validate(); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

func encodeSigned(s *Signer, kind signedKind, environment string, value any) ([]byte, Signature, error) {
	if s == nil {
		return nil, "", errNoSigner
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", kind, err)
	}
	signature, err := s.sign(documentText(kind, s.installation, environment, Sum(data)))
	return data, signature, err
}

func decodeSigned(k *Keyring, kind signedKind, environment string, data []byte, s Signature, value any) error {
	if err := verifyDocument(k, kind, environment, data, s); err != nil {
		return err
	}
	if err := json.Unmarshal(data, value); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func verifyDocument(k *Keyring, kind signedKind, environment string, data []byte, s Signature) error {
	if err := k.verify(documentText(kind, k.trust.installation, environment, Sum(data)), s); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}
