package control_test

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// epoch is the history of all states here.
const epoch = changelog.Epoch("00112233445566778899aabbccddeeff")

// state is a State that is changed by applying decisions.
type state struct {
	revision  uint64
	documents map[changelog.ID]changelog.Document
	rules     *eval.Ruleset
}

func newState() *state {
	return &state{revision: 1, documents: map[changelog.ID]changelog.Document{}, rules: eval.New()}
}

func (s *state) Position() changelog.Position {
	return changelog.Position{Epoch: epoch, Revision: s.revision}
}

func (s *state) Document(id changelog.ID) (changelog.Document, bool) {
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

func (s *state) Documents() iter.Seq[changelog.Document] { return maps.Values(s.documents) }

func (s *state) Rules() *eval.Ruleset { return s.rules }

// apply applies transactions as a follower does. Every one of them must leave valid rules.
func (s *state) apply(t *testing.T, d control.Decision) {
	t.Helper()
	for i, part := range d.Parts {
		if len(part) > changelog.MaxEntries {
			t.Fatalf("part %d has %d documents", i, len(part))
		}
		var documents []eval.Document
		for _, document := range part {
			s.revision++
			document.Revision = s.revision
			if document.Body == nil {
				delete(s.documents, document.ID())
			} else {
				s.documents[document.ID()] = document
			}
			documents = append(documents, eval.Document{
				Kind: eval.Kind(document.Kind), Key: document.Key, Revision: document.Revision, Body: document.Body,
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
func (s *state) holds(wanted []eval.Document) error {
	if len(wanted) != len(s.documents) {
		return fmt.Errorf("%d documents, want %d", len(s.documents), len(wanted))
	}
	for _, w := range wanted {
		d, ok := s.documents[changelog.ID{Kind: changelog.Kind(w.Kind), Key: w.Key}]
		if !ok || !bytes.Equal(d.Body, w.Body) {
			return fmt.Errorf("%s %q is %q, want %q", w.Kind, w.Key, d.Body, w.Body)
		}
	}
	return nil
}

func flagID(key string) changelog.ID { return changelog.ID{Kind: changelog.KindFlag, Key: key} }

func segmentID(key string) changelog.ID { return changelog.ID{Kind: changelog.KindSegment, Key: key} }

func settingsID() changelog.ID {
	return changelog.ID{Kind: changelog.KindSettings, Key: changelog.SettingsKey}
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

func flagDocument(key string, body []byte) eval.Document {
	return eval.Document{Kind: eval.KindFlag, Key: key, Body: body}
}

// put puts documents into a state without asking anybody.
func (s *state) put(t *testing.T, documents ...eval.Document) {
	t.Helper()
	for chunk := range slices.Chunk(documents, changelog.MaxEntries) {
		part := make([]changelog.Document, len(chunk))
		for i, d := range chunk {
			part[i] = changelog.Document{Kind: changelog.Kind(d.Kind), Key: d.Key, Body: d.Body}
		}
		s.apply(t, control.Decision{Parts: [][]changelog.Document{part}})
	}
}
