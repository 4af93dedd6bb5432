package changelog

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxLedgerBody is how many bytes the body of a [LedgerRecord] may have.
	MaxLedgerBody = 768 << 10
	// MaxOpID is how many bytes the op-id of a [LedgerRecord] may have.
	MaxOpID = 256

	ledgerVersion = 2
)

// LedgerRecord is one record of a journal: of LEDGER_<env>, or of CONTROL.
type LedgerRecord struct {
	Stream   string
	Sequence uint64 // its place in the stream, 1 or more
	Prev     Anchor // the valid record before it; zero for the first of a chain
	OpID     string // of the append, 1 to MaxOpID bytes
	Body     []byte // a JSON value of at most MaxLedgerBody bytes

	Digest    Digest    // of the record's bytes, set by decoding
	Signature Signature // as it was stored, set by a [LedgerJudge]
}

// wireRecord is the JSON form, its members in the order they are written.
// Pointers tell what is missing.
type wireRecord struct {
	Version  int            `json:"v"`
	Stream   string         `json:"stream"`
	Sequence uint64         `json:"sequence"`
	Prev     *wireAnchor    `json:"prev"`
	OpID     string         `json:"op"`
	Body     jsontext.Value `json:"record"`
}

type wireAnchor struct {
	Sequence *uint64 `json:"sequence"`
	Digest   *Digest `json:"digest"`
}

// Anchor returns how others name the record.
func (r LedgerRecord) Anchor() Anchor { return Anchor{Sequence: r.Sequence, Digest: r.Digest} }

// IsZero reports whether a names no record.
func (a Anchor) IsZero() bool { return a == Anchor{} }

// String returns the sequence and the first digits of the digest.
func (a Anchor) String() string { return fmt.Sprintf("%d (%.8s)", a.Sequence, a.Digest) }

// Encode returns the bytes of r. It refuses what [DecodeLedgerRecord] would.
func (r LedgerRecord) Encode() ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(wireRecord{
		Version: ledgerVersion, Stream: r.Stream, Sequence: r.Sequence,
		Prev: &wireAnchor{&r.Prev.Sequence, &r.Prev.Digest}, OpID: r.OpID, Body: r.Body,
	}, jsontext.AllowDuplicateNames(false), jsontext.PreserveRawStrings(true))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return data, nil
}

// DecodeLedgerRecord decodes the bytes of one record. Unknown, duplicate and
// missing members, trailing bytes and values out of bounds are refused;
// [ErrVersion] tells that a newer publisher wrote it. It proves nothing: see
// [LedgerJudge]. The result does not share data.
func DecodeLedgerRecord(data []byte) (LedgerRecord, error) {
	var w wireRecord
	if err := json.Unmarshal(data, &w, json.RejectUnknownMembers(true)); err != nil || w.Version != ledgerVersion {
		return LedgerRecord{}, notARecord(data, err)
	}
	if w.Prev == nil || w.Prev.Sequence == nil || w.Prev.Digest == nil {
		return LedgerRecord{}, errors.New("record: it does not say what it follows")
	}
	r := LedgerRecord{
		Stream: w.Stream, Sequence: w.Sequence, OpID: w.OpID, Body: w.Body,
		Prev: Anchor{Sequence: *w.Prev.Sequence, Digest: *w.Prev.Digest}, Digest: Sum(data),
	}
	return r, r.validate()
}

// notARecord says what is wrong with data that could not be decoded.
func notARecord(data []byte, why error) error {
	var header struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if header.Version != ledgerVersion {
		return fmt.Errorf("record: format %d: %w", header.Version, ErrVersion)
	}
	return fmt.Errorf("record: %w", why)
}

func (r LedgerRecord) validate() error {
	switch {
	case r.Stream == "" || !utf8.ValidString(r.Stream):
		return fmt.Errorf("record: the stream %q is empty or not valid UTF-8", r.Stream)
	case r.Sequence == 0 || r.Prev.Sequence >= r.Sequence:
		return fmt.Errorf("record: sequence %d after sequence %d", r.Sequence, r.Prev.Sequence)
	case (r.Prev.Sequence == 0) != r.Prev.Digest.IsZero():
		return fmt.Errorf("record: the record before it has sequence %d and digest %s", r.Prev.Sequence, r.Prev.Digest)
	case r.OpID == "" || len(r.OpID) > MaxOpID || !utf8.ValidString(r.OpID):
		return fmt.Errorf("record: the op-id %.40q: want valid UTF-8 of 1 to %d bytes", r.OpID, MaxOpID)
	case len(r.Body) == 0 || len(r.Body) > MaxLedgerBody:
		return fmt.Errorf("record: %d bytes, 1 to %d are allowed", len(r.Body), MaxLedgerBody)
	}
	return nil
}

// KeyID returns the id of the key that a signature claims to be of.
func (s Signature) KeyID() (id uint32, ok bool) {
	id, _, err := s.decode()
	return id, err == nil
}
