package changelog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
)

// Version is the schema version of the entries this package writes.
const Version = 2

// ErrVersion is returned for an entry whose schema version is not known here.
var ErrVersion = errors.New("a newer version of flagside wrote it: upgrade this program")

// Entry is one message of the log: the new state of one document and, in the
// same bytes, the record of who changed it and why.
//
// Entries that are applied together form a transaction: they share OpID and
// carry their place in it as Index of Count, from 1.
type Entry struct {
	Environment string
	Epoch       Epoch
	Revision    uint64 // its place in the log: the sequence of the message
	OpID        string // of the change; the same for all its entries
	Kind        document.Kind
	Key         string
	Index       int       // 1 to Count
	Count       int       // 1 to MaxEntries
	Put         []byte    // the whole document, compact JSON; nil unless it is put
	Delete      bool      // a tombstone
	Actor       string    // opaque id of who made the change
	Approvers   []string  // opaque ids of who agreed
	Reason      string    // at most MaxReason bytes
	Request     string    // change request this entry applies, if any
	Time        time.Time // of the publisher that wrote it; for people, never for order
	Prev        Link      // the previous valid entry; zero for the first of a log

	// State is the state digest after the transaction, in its last entry only.
	State Digest
	// Ledger and Control are how far the journals went when the entry was made;
	// zero where that is not known.
	Ledger, Control Anchor

	// Complete and Leaves are for epoch entries only. Unless Complete is zero, the
	// entry renews the state: the state begins with this entry, and is whole when Complete
	// more entries have come, not before. Leaves is the position that was left for it.
	Complete uint64
	Leaves   Position
}

// wireEntry is the JSON form, its members in the order they are written.
type wireEntry struct {
	Version     int            `json:"v"`
	Environment string         `json:"environment"`
	Epoch       Epoch          `json:"epoch"`
	Revision    uint64         `json:"revision"`
	OpID        string         `json:"op"`
	Kind        document.Kind  `json:"kind"`
	Key         string         `json:"key"`
	Index       int            `json:"i"`
	Count       int            `json:"n"`
	Put         jsontext.Value `json:"put,omitzero"`
	Delete      bool           `json:"delete,omitzero"`
	Complete    uint64         `json:"complete,omitzero"`
	Leaves      Position       `json:"leaves,omitzero"`
	State       Digest         `json:"state,omitzero"`
	Actor       string         `json:"actor,omitzero"`
	Approvers   []string       `json:"approvers,omitempty"`
	Reason      string         `json:"reason,omitzero"`
	Request     string         `json:"request,omitzero"`
	Time        time.Time      `json:"time"`
	Ledger      Anchor         `json:"ledger,omitzero"`
	Control     Anchor         `json:"control,omitzero"`
	Prev        Link           `json:"prev"`
}

// ID returns what identifies the document e is about.
func (e Entry) ID() document.ID { return document.ID{Kind: e.Kind, Key: e.Key} }

// Encode returns the bytes of e. It refuses what [DecodeEntry] would.
func (e Entry) Encode() ([]byte, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(wireEntry{
		Version: Version, Environment: e.Environment, Epoch: e.Epoch, Revision: e.Revision,
		OpID: e.OpID, Kind: e.Kind, Key: e.Key, Index: e.Index, Count: e.Count,
		Put: e.Put, Delete: e.Delete, Complete: e.Complete, Leaves: e.Leaves, State: e.State,
		Actor: e.Actor, Approvers: e.Approvers, Reason: e.Reason, Request: e.Request,
		Time: e.Time.UTC(), Ledger: e.Ledger, Control: e.Control, Prev: e.Prev,
	}, jsontext.PreserveRawStrings(true))
	if err != nil {
		return nil, fmt.Errorf("entry %s: %w", e.ID(), err)
	}
	return data, nil
}

// DecodeEntry decodes the bytes of one entry. Unknown members, duplicate
// members, trailing bytes and values out of bounds are refused; [ErrVersion]
// tells that a newer publisher wrote it. The result does not share data.
func DecodeEntry(data []byte) (Entry, error) {
	if w, ok := readCanonical(data); ok && w.Version == Version {
		return w.entry()
	}
	return decodeAnyEntry(data)
}

// decodeAnyEntry decodes an entry of any form, or says what is wrong with it.
func decodeAnyEntry(data []byte) (Entry, error) {
	var header struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return Entry{}, fmt.Errorf("entry: %w", err)
	}
	if header.Version != Version {
		return Entry{}, fmt.Errorf("entry: format %d: %w", header.Version, ErrVersion)
	}
	var w wireEntry
	if err := json.Unmarshal(data, &w, json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, fmt.Errorf("entry: %w", err)
	}
	w.Put = bytes.Clone(w.Put)
	return w.entry()
}

// entry returns what w says, if that is an entry.
func (w wireEntry) entry() (Entry, error) {
	e := Entry{
		Environment: w.Environment, Epoch: w.Epoch, Revision: w.Revision,
		OpID: w.OpID, Kind: w.Kind, Key: w.Key, Index: w.Index, Count: w.Count,
		Put: w.Put, Delete: w.Delete, Complete: w.Complete, Leaves: w.Leaves, State: w.State,
		Actor: w.Actor, Approvers: w.Approvers, Reason: w.Reason, Request: w.Request,
		Time: w.Time, Ledger: w.Ledger, Control: w.Control, Prev: w.Prev,
	}
	if err := e.validate(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// CompactDocument returns a document in the form in which it is logged:
// insignificant white space removed, everything else as it was. It refuses
// text that is not one JSON value, repeats a member name or is too large.
func CompactDocument(data []byte) ([]byte, error) {
	v := jsontext.Value(bytes.Clone(data))
	if err := v.Compact(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false)); err != nil {
		return nil, err
	}
	if len(v) > document.MaxSize {
		return nil, fmt.Errorf("the document has %d bytes, at most %d are allowed", len(v), document.MaxSize)
	}
	return bytes.Clone(v), nil // without the room that the white space took
}

func (e Entry) validate() error {
	if err := e.ID().Validate(); err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	if err := e.validateBody(); err != nil {
		return fmt.Errorf("entry %s: %w", e.ID(), err)
	}
	if err := e.Epoch.Validate(); err != nil {
		return fmt.Errorf("entry %s: %w", e.ID(), err)
	}
	switch {
	case e.Environment == "" || !utf8.ValidString(e.Environment) || strings.Contains(e.Environment, "\n"):
		return fmt.Errorf("entry %s: the environment %q is not one line of valid UTF-8", e.ID(), e.Environment)
	case e.Revision == 0 || e.Prev.Revision >= e.Revision:
		return fmt.Errorf("entry %s: revision %d after revision %d", e.ID(), e.Revision, e.Prev.Revision)
	case (e.Prev.Revision == 0) != e.Prev.Digest.IsZero():
		return fmt.Errorf("entry %s: the entry before it has revision %d and digest %s", e.ID(), e.Prev.Revision, e.Prev.Digest)
	case e.State.IsZero() != (e.Index < e.Count):
		return fmt.Errorf("entry %s: number %d of %d: the last of a transaction tells the state, and no other", e.ID(), e.Index, e.Count)
	case e.OpID == "" || !utf8.ValidString(e.OpID):
		return fmt.Errorf("entry %s: the op-id %q is empty or not valid UTF-8", e.ID(), e.OpID)
	case e.Count < 1 || e.Count > MaxEntries:
		return fmt.Errorf("entry %s: a transaction of %d entries, 1 to %d are allowed", e.ID(), e.Count, MaxEntries)
	case e.Index < 1 || e.Index > e.Count:
		return fmt.Errorf("entry %s: number %d of %d", e.ID(), e.Index, e.Count)
	case e.Time.UTC().Year() < 0 || e.Time.UTC().Year() > 9999:
		return fmt.Errorf("entry %s: the time %v cannot be written", e.ID(), e.Time)
	case len(e.Reason) > MaxReason:
		return fmt.Errorf("entry %s: the reason has %d bytes, at most %d are allowed", e.ID(), len(e.Reason), MaxReason)
	}
	return nil
}

func (e Entry) validateBody() error {
	put := e.Put != nil
	switch {
	case e.Kind == document.KindEpoch && (put || e.Delete):
		return errors.New("an epoch entry has no document")
	case e.Kind == document.KindEpoch && e.Complete == 0 && e.Leaves != Position{}:
		return errors.New("an epoch entry that renews nothing leaves nothing")
	case e.Kind == document.KindEpoch:
		return nil
	case e.Kind == document.KindKeys && e.Delete:
		return errors.New("the keys note cannot be deleted")
	case e.Complete != 0 || e.Leaves != Position{}:
		return errors.New("only an epoch entry says where a state is complete and what it leaves")
	case put == e.Delete:
		return errors.New("want either a document or a deletion")
	case len(e.Put) > document.MaxSize:
		return fmt.Errorf("the document has %d bytes, at most %d are allowed", len(e.Put), document.MaxSize)
	}
	return nil
}
