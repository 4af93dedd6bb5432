package document

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind says what an entry of the change log or a document is about.
type Kind string

// The kinds. All but the last have documents.
const (
	KindFlag     Kind = "flag"     // a flag; its key is the flag key
	KindSegment  Kind = "segment"  // a rule that flags refer to by name
	KindSettings Kind = "settings" // the settings of the environment, under SettingsKey
	KindKeys     Kind = "keys"     // the keys note as a JSON string, under KeysKey
	KindEpoch    Kind = "epoch"    // the begin of a history, under EpochKey
)

// The only keys that settings, keys and epochs have.
const (
	SettingsKey = "environment"
	KeysKey     = "keys"
	EpochKey    = "epoch"
)

// ID identifies a document within its environment. The zero value identifies none.
type ID struct {
	Kind Kind
	Key  string
}

// String returns "kind/key".
func (id ID) String() string { return string(id.Kind) + "/" + id.Key }

// Compare orders IDs by kind, then by key.
func (id ID) Compare(other ID) int {
	return cmp.Or(strings.Compare(string(id.Kind), string(other.Kind)), strings.Compare(id.Key, other.Key))
}

// Validate reports why nothing can have this ID.
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
