package changelog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of the log. Whatever exceeds one is refused before it is written.
const (
	MaxEntries  = 1000       // entries of one transaction: what JetStream takes as one atomic batch
	MaxDocument = 512 * 1024 // bytes of one document
	MaxKey      = 1024       // bytes of a key
	MaxReason   = 500        // bytes of a reason
)

// Kind says what an entry or a document is about.
type Kind string

// The kinds. All but the last have documents.
const (
	KindFlag     Kind = "flag"     // a flag; its key is the flag key
	KindSegment  Kind = "segment"  // a rule that flags refer to by name
	KindSettings Kind = "settings" // the settings of the environment, under SettingsKey
	KindKeys     Kind = "keys"     // the keys note as a JSON string, under KeysKey
	KindEpoch    Kind = "epoch"    // the begin of a history, under EpochKey
)

// The only keys that entries about settings, keys and epochs have.
const (
	SettingsKey = "environment"
	KeysKey     = "keys"
	EpochKey    = "epoch"
)

// Document is a live document as the log left it. The body is compact JSON and
// shared: anyone who holds a Document must not modify it.
type Document struct {
	Kind     Kind
	Key      string
	Revision uint64 // of the entry that put it
	Body     []byte
}

// validate reports why d cannot be live.
func (d Document) validate() error {
	switch {
	case d.Kind == KindEpoch:
		return errors.New("an epoch entry has no document")
	case len(d.Body) == 0:
		return errors.New("the document is missing")
	case len(d.Body) > MaxDocument:
		return fmt.Errorf("the document has %d bytes, at most %d are allowed", len(d.Body), MaxDocument)
	}
	return d.ID().Validate()
}

// ID identifies a document within its environment. The zero value identifies
// none.
type ID struct {
	Kind Kind
	Key  string
}

// ID returns what identifies d.
func (d Document) ID() ID { return ID{Kind: d.Kind, Key: d.Key} }

// String returns "kind/key".
func (id ID) String() string { return string(id.Kind) + "/" + id.Key }

// Subject returns the subject token of the entries about id: unpadded base64url
// of "kind/key", because a key may hold anything, and a token no dots, spaces
// or wildcards.
func (id ID) Subject() string {
	return base64.RawURLEncoding.EncodeToString([]byte(id.String()))
}

// Validate reports why no entry can be about id.
func (id ID) Validate() error {
	switch {
	case id.Kind == KindSettings && id.Key != SettingsKey:
		return fmt.Errorf("settings have the key %q, not %q", SettingsKey, id.Key)
	case id.Kind == KindKeys && id.Key != KeysKey:
		return fmt.Errorf("the keys note has the key %q, not %q", KeysKey, id.Key)
	case id.Kind == KindEpoch && id.Key != EpochKey:
		return fmt.Errorf("an epoch entry has the key %q, not %q", EpochKey, id.Key)
	case id.Key == "":
		return errors.New("the key is empty")
	case len(id.Key) > MaxKey:
		return fmt.Errorf("the key has %d bytes, at most %d are allowed", len(id.Key), MaxKey)
	case !utf8.ValidString(id.Key):
		return fmt.Errorf("the key %q is not valid UTF-8", id.Key)
	}
	switch id.Kind {
	case KindFlag, KindSegment, KindSettings, KindKeys, KindEpoch:
		return nil
	default:
		return fmt.Errorf("unknown kind %q", string(id.Kind))
	}
}
