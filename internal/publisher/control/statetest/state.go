// Package statetest has an environment in memory for tests of what is decided about one.
package statetest

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Epoch is the history of all states here.
const Epoch = changelog.Epoch("00112233445566778899aabbccddeeff")

// State is what an environment holds. Transactions change it; it is not safe for concurrent use.
type State struct {
	// Revision is the newest.
	Revision  uint64
	documents map[document.ID]document.Document
	rules     *eval.Ruleset
}

// New returns an environment without documents.
func New() *State {
	return &State{Revision: 1, documents: map[document.ID]document.Document{}, rules: eval.New()}
}

// Position returns where the environment is.
func (s *State) Position() changelog.Position {
	return changelog.Position{Epoch: Epoch, Revision: s.Revision}
}

// Document returns a live document.
func (s *State) Document(id document.ID) (document.Document, bool) {
	d, ok := s.documents[id]
	return d, ok
}

// State returns what the state digest is made of.
func (s *State) State() changelog.State {
	edit := changelog.State{}.Edit()
	for _, d := range s.documents {
		edit.Add(d)
	}
	return edit.State()
}

// Documents returns all live documents, in any order.
func (s *State) Documents() iter.Seq[document.Document] { return maps.Values(s.documents) }

// Len returns how many documents there are.
func (s *State) Len() int { return len(s.documents) }

// Rules returns the documents, compiled.
func (s *State) Rules() *eval.Ruleset { return s.rules }

// Apply applies transactions as a follower does. Every one of them must leave valid rules.
func (s *State) Apply(t *testing.T, parts ...[]document.Document) {
	t.Helper()
	for i, part := range parts {
		if len(part) > changelog.MaxEntries {
			t.Fatalf("part %d has %d documents", i, len(part))
		}
		var documents []document.Document
		for _, doc := range part {
			s.Revision++
			doc.Revision = s.Revision
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

// Holds reports whether the documents of s are exactly the wanted ones.
func (s *State) Holds(wanted []document.Document) error {
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

// FlagID returns the identity of a flag.
func FlagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

// SegmentID returns the identity of a segment.
func SegmentID(key string) document.ID { return document.ID{Kind: document.KindSegment, Key: key} }

// SettingsID returns the identity of the settings.
func SettingsID() document.ID {
	return document.ID{Kind: document.KindSettings, Key: document.SettingsKey}
}

// FlagBody returns a flag that answers its variant on, or off; more is added to its document.
func FlagBody(variant, more string) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":%q%s}`, variant, more)
}

// Requires is the part of a flag document with the prerequisites that these flags are on.
func Requires(keys ...string) string {
	if len(keys) == 0 {
		return ""
	}
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = fmt.Sprintf(`{"flag":%q,"variants":["on"]}`, key)
	}
	return `,"offVariant":"off","prerequisites":[` + strings.Join(list, ",") + "]"
}

// FlagDocument returns a flag with a document.
func FlagDocument(key string, body []byte) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: body}
}

// Put puts documents into a state without a decision.
func (s *State) Put(t *testing.T, documents ...document.Document) {
	t.Helper()
	for chunk := range slices.Chunk(documents, changelog.MaxEntries) {
		part := make([]document.Document, len(chunk))
		for i, d := range chunk {
			part[i] = document.Document{Kind: d.Kind, Key: d.Key, Body: d.Body}
		}
		s.Apply(t, part)
	}
}

// Shop has a flag a, a flag b that requires a, a segment staff and a flag c that uses it, all at known revisions.
func Shop(t *testing.T) *State {
	t.Helper()
	s := New()
	s.Put(t, FlagDocument("a", FlagBody("on", "")))            // revision 2
	s.Put(t, FlagDocument("b", FlagBody("on", Requires("a")))) // revision 3
	s.Put(t, document.Document{Kind: document.KindSegment, Key: "staff", Body: []byte(`{"ends_with":[{"var":"email"},"@example.com"]}`)})
	s.Put(t, FlagDocument("c", FlagBody("on", `,"targeting":{"if":[{"$ref":"staff"},"on","off"]}`)))
	return s
}

// Chain returns n flags each of which requires the one before it by number, so that their keys are in no useful order. Chains have 500
// flags, because no flag may depend on more than 1,000.
func Chain(n int, variant string) []document.Document {
	documents := make([]document.Document, n)
	for i := range documents {
		more := ""
		if i%500 > 0 {
			more = Requires(ChainKey(i - 1))
		}
		documents[i] = FlagDocument(ChainKey(i), FlagBody(variant, more))
	}
	slices.SortFunc(documents, func(a, b document.Document) int { return strings.Compare(a.Key, b.Key) })
	return documents
}

// ChainKey returns the key of the flag of a chain by its number.
func ChainKey(i int) string { return fmt.Sprintf("f%d", (i*7919)%100_003) }
