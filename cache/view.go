package cache

import (
	"io"
	"iter"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// View is the complete state of an environment at one position: its documents
// and the rules compiled from them. It is immutable and may be shared.
type View struct {
	environment string
	rules       *eval.Ruleset
}

// Position returns the place in the history that the View shows; zero for one
// that was made from a flagd file.
func (v *View) Position() changelog.Position { return changelog.Position{} }

// StateDigest returns the digest over all documents.
func (v *View) StateDigest() changelog.Digest { return changelog.Digest{} }

// Rules returns the compiled documents. A document that does not compile is
// represented by its last good version, and by the problems of the Ruleset.
func (v *View) Rules() *eval.Ruleset { return v.rules }

// Document returns a document, as the log left it. Its body is shared.
func (v *View) Document(changelog.ID) (changelog.Document, bool) { return changelog.Document{}, false }

// Documents returns all documents in no particular order. Bodies are shared.
func (v *View) Documents() iter.Seq[changelog.Document] {
	return func(func(changelog.Document) bool) {}
}

// Count returns the number of documents.
func (v *View) Count() int { return 0 }

// Header returns the header of the snapshot that Write would write.
func (v *View) Header() changelog.Header { return changelog.Header{Environment: v.environment} }

// Write writes the documents to w as a snapshot.
func (v *View) Write(io.Writer) error { return nil }
