package changelog

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// Types of records that journals themselves know. All others belong to those who
// append them.
const (
	// RecordKeys is the type of a record that carries a keys note.
	RecordKeys = "keys"
	// RecordRepaired is the type of a record that goes on after a damage: see
	// [LedgerRepair].
	RecordRepaired = "journal.repaired"
)

// RecordType returns the member "type" of a record's body, "" if it has none.
func RecordType(body []byte) string {
	var typed struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &typed); err != nil {
		return ""
	}
	return typed.Type
}

type keysBody struct {
	Type string `json:"type"`
	Keys string `json:"keys"`
}

// KeysRecord returns the body of a record that carries a keys note.
func KeysRecord(n KeysNote) ([]byte, error) {
	data, err := json.Marshal(keysBody{RecordKeys, n.Text})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysNote, err)
	}
	return data, nil
}

// keysOf returns the text of the keys note that a record carries.
func keysOf(r LedgerRecord) (text string, ok bool) {
	if !bytes.Contains(r.Body, []byte(`"`+RecordKeys+`"`)) || RecordType(r.Body) != RecordKeys { // nearly all are of other types
		return "", false
	}
	var k keysBody
	err := json.Unmarshal(r.Body, &k)
	return k.Keys, err == nil
}

// Interval is the sequences from First to Last, both included.
type Interval struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// LedgerRepair is the body of a record that begins a new chain, on an
// operator's word, behind a damage. Its Prev is zero. It proves what it keeps.
type LedgerRepair struct {
	Type string `json:"type"` // RecordRepaired
	// Leaves is the newest record that was valid before it, zero if none was.
	Leaves Anchor `json:"leaves"`
	// Kept are the newest records of the chains before it that do not continue
	// each other, because records between them are missing.
	Kept []Anchor `json:"kept,omitempty"`
	// Lacks is a record that is named elsewhere and is missing here; zero if none
	// is known. Anything up to this record is no longer expected.
	Lacks Anchor `json:"lacks,omitzero"`
	// Skipped are the places without a message, or with one that is unreadable.
	Skipped []Interval `json:"skipped,omitempty"`

	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitzero"`
	Time   time.Time `json:"time"` // for people, never for order
	// BreakGlass tells that it was ordered without the consent that policies want.
	BreakGlass bool `json:"breakGlass,omitzero"`
}

// Encode returns the body of the record.
func (r LedgerRepair) Encode() ([]byte, error) {
	r.Type, r.Time = RecordRepaired, r.Time.UTC()
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	return data, nil
}

// RepairOf returns the repair that a record is, if it is one.
func RepairOf(r LedgerRecord) (LedgerRepair, bool) {
	if !r.Prev.IsZero() || RecordType(r.Body) != RecordRepaired {
		return LedgerRepair{}, false
	}
	repair, err := DecodeLedgerRepair(r.Body)
	return repair, err == nil
}

// DecodeLedgerRepair decodes the body of a record of the type [RecordRepaired].
func DecodeLedgerRepair(body []byte) (r LedgerRepair, err error) {
	if err := json.Unmarshal(body, &r); err != nil {
		return LedgerRepair{}, fmt.Errorf("repair: %w", err)
	}
	return r, nil
}
