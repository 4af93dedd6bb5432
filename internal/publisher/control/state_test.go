package control_test

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// epoch is the history of all states here.
const epoch = changelog.Epoch("00112233445566778899aabbccddeeff")

// state is a State that is changed by applying decisions.
type state struct {
	revision  uint64
	documents map[document.ID]document.Document
	rules     *eval.Ruleset
}

func newState() *state {
	return &state{revision: 1, documents: map[document.ID]document.Document{}, rules: eval.New()}
}

func (s *state) Position() changelog.Position {
	return changelog.Position{Epoch: epoch, Revision: s.revision}
}

func (s *state) Document(id document.ID) (document.Document, bool) {
	d, ok := s.documents[id]
	return d, ok
}

func (s *state) State() changelog.State {
	edit := changelog.State{}.Edit()
	for _, d := range s.documents {
		edit.Add(d)
	}
	return edit.State()
}

func (s *state) Documents() iter.Seq[document.Document] { return maps.Values(s.documents) }

func (s *state) Rules() *eval.Ruleset { return s.rules }

// apply applies transactions as a follower does. Every one of them must leave valid rules.
func (s *state) apply(t *testing.T, d control.Decision) {
	t.Helper()
	for i, part := range d.Parts {
		if len(part) > changelog.MaxEntries {
			t.Fatalf("part %d has %d documents", i, len(part))
		}
		var documents []document.Document
		for _, doc := range part {
			s.revision++
			doc.Revision = s.revision
			if doc.Body == nil {
				delete(s.documents, doc.ID())
			} else {
				s.documents[doc.ID()] = doc
			}
			documents = append(documents, document.Document{
				Kind: doc.Kind, Key: doc.Key, Revision: doc.Revision, Body: doc.Body,
			})
		}
		next, problems := s.rules.Update(documents)
		if err := problems.Err(); err != nil {
			t.Fatalf("part %d leaves rules that are not valid: %v", i, err)
		}
		s.rules = next
	}
}

// holds reports whether the documents of s are exactly the wanted ones.
func (s *state) holds(wanted []document.Document) error {
	if len(wanted) != len(s.documents) {
		return fmt.Errorf("%d documents, want %d", len(s.documents), len(wanted))
	}
	for _, w := range wanted {
		d, ok := s.documents[document.ID{Kind: w.Kind, Key: w.Key}]
		if !ok || !bytes.Equal(d.Body, w.Body) {
			return fmt.Errorf("%s %q is %q, want %q", w.Kind, w.Key, d.Body, w.Body)
		}
	}
	return nil
}

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

func segmentID(key string) document.ID { return document.ID{Kind: document.KindSegment, Key: key} }

func settingsID() document.ID {
	return document.ID{Kind: document.KindSettings, Key: document.SettingsKey}
}

// A flag that answers its variant on, or off; more is added to its document.
func flagBody(variant, more string) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":%q%s}`, variant, more)
}

// requires is the part of a flag document with the prerequisites that these flags are on.
func requires(keys ...string) string {
	if len(keys) == 0 {
		return ""
	}
	text := `,"offVariant":"off","prerequisites":[`
	for i, key := range keys {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"flag":%q,"variants":["on"]}`, key)
	}
	return text + "]"
}

func flagDocument(key string, body []byte) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: body}
}

// put puts documents into a state without asking anybody.
func (s *state) put(t *testing.T, documents ...document.Document) {
	t.Helper()
	for chunk := range slices.Chunk(documents, changelog.MaxEntries) {
		part := make([]document.Document, len(chunk))
		for i, d := range chunk {
			part[i] = document.Document{Kind: d.Kind, Key: d.Key, Body: d.Body}
		}
		s.apply(t, control.Decision{Parts: [][]document.Document{part}})
	}
}
