package document

import (
	"errors"
	"fmt"
)

// Limits of documents. Larger ones are refused before they are written.
const (
	MaxSize = 512 * 1024 // bytes of a body
	MaxKey  = 1024       // bytes of a key
)

// SourceMember is the member of a document that names the source that owns it: files that are applied, for one. No answer depends on it.
const SourceMember = "$source"

// Document is one document of an environment. Its zero value is none.
type Document struct {
	// Kind says what the document defines.
	Kind Kind
	// Key names the document within its kind.
	Key string
	// Revision is that of the entry that put the document; 0 if it was not written yet.
	Revision uint64
	// Body is compact JSON: the flag object, the rule of a segment, the settings object, or the keys note as a JSON string. A nil Body among
	// changes removes the document. The body is shared: do not modify it.
	Body []byte
}

// ID returns what identifies d.
func (d Document) ID() ID { return ID{Kind: d.Kind, Key: d.Key} }

// Validate reports why d cannot be live.
func (d Document) Validate() error {
	switch {
	case d.Kind == KindEpoch:
		return errors.New("an epoch entry has no document")
	case len(d.Body) == 0:
		return errors.New("the document is missing")
	case len(d.Body) > MaxSize:
		return fmt.Errorf("the document has %d bytes, at most %d are allowed", len(d.Body), MaxSize)
	}
	return d.ID().Validate()
}
