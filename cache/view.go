package cache

import (
	"io"
	"iter"
	"sync/atomic"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// View is the complete state of an environment at one position: its documents
// and the rules compiled from them. It is immutable and may be shared.
type View struct {
	environment string
	state       state
	rules       *eval.Ruleset
	lastGood    map[document.ID]goodVersion // see [View.keepLastGood]
	revision    atomic.Pointer[string]      // see [View.Revision]
	digest      atomic.Pointer[changelog.Digest]
}

// Revision returns how requests and answers name the position, empty without one.
func (v *View) Revision() string {
	if known := v.revision.Load(); known != nil {
		return *known
	}
	text := ""
	if at := v.Position(); !at.IsZero() {
		text = at.Token().String()
	}
	v.revision.Store(&text)
	return text
}

// Position returns the place in the history that the View shows; zero for one
// that was made from a flagd file.
func (v *View) Position() changelog.Position { return v.state.head.Position }

// State returns what the state digest is made of.
func (v *View) State() changelog.State { return v.state.hashes }

// StateDigest returns the digest over all documents.
func (v *View) StateDigest() changelog.Digest {
	if known := v.digest.Load(); known != nil {
		return *known
	}
	digest := v.state.hashes.Digest()
	v.digest.Store(&digest)
	return digest
}

// Rules returns the compiled documents. A document that does not compile is
// represented by its last good version, and by the problems of the Ruleset.
func (v *View) Rules() *eval.Ruleset { return v.rules }

// Document returns a document as the log left it, whether it compiles or not.
// Its body is shared and must not be modified.
func (v *View) Document(id document.ID) (document.Document, bool) {
	return v.state.documents.get(id)
}

// Documents returns all documents in no particular order. Their bodies are
// shared and must not be modified.
func (v *View) Documents() iter.Seq[document.Document] { return v.state.documents.all() }

// Count returns the number of documents.
func (v *View) Count() int { return v.state.documents.count }

// Header returns the header of the snapshot that [View.Write] writes.
func (v *View) Header() changelog.Header {
	return changelog.Header{
		Environment: v.environment,
		Head:        v.state.head,
		Count:       v.state.documents.count,
		Keys:        v.keysNote(),
	}
}

// keysNote returns the keys note that the documents hold, "" if there is none.
func (v *View) keysNote() string {
	d, ok := v.Document(document.ID{Kind: document.KindKeys, Key: document.KeysKey})
	if !ok {
		return ""
	}
	text, err := changelog.KeysText(d.Body)
	if err != nil {
		return ""
	}
	return text
}

// Write writes the View to w as a snapshot, in bounded memory. It fails for a
// View without a position: a snapshot is of a history.
func (v *View) Write(w io.Writer) error {
	return writeSnapshot(w, v.Header(), v.Documents())
}

func writeSnapshot(w io.Writer, h changelog.Header, documents iter.Seq[document.Document]) error {
	s, err := changelog.NewSnapshotWriter(w, h)
	if err != nil {
		return err
	}
	for doc := range documents {
		if err := s.Write(doc); err != nil {
			return err
		}
	}
	return s.Close()
}
