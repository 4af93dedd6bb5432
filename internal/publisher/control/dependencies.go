package control

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
)

// Base is what a change was made from: a document and the revision that it had, 0 if it did not exist.
type Base struct {
	Kind     changelog.Kind `json:"kind"`
	Key      string         `json:"key"`
	Revision uint64         `json:"revision"`
}

func (b Base) id() changelog.ID { return changelog.ID{Kind: b.Kind, Key: b.Key} }

// bases returns the revisions of everything that decides what changes mean: the documents that change, all that they depend on before
// and after, and the settings. They are sorted.
func bases(s State, changes []changelog.Document) []Base {
	after := make(map[changelog.ID]changelog.Document, len(changes))
	for _, c := range changes {
		after[c.ID()] = c
	}
	found := make(map[changelog.ID]bool)
	var visit func(id changelog.ID)
	visit = func(id changelog.ID) {
		if found[id] {
			return
		}
		found[id] = true
		live, _ := s.Document(id)
		for _, d := range []changelog.Document{live, after[id]} {
			for _, needed := range dependencies(d) {
				visit(needed)
			}
		}
	}
	visit(changelog.ID{Kind: changelog.KindSettings, Key: changelog.SettingsKey})
	for _, c := range changes {
		visit(c.ID())
	}
	list := make([]Base, 0, len(found))
	for id := range found {
		live, _ := s.Document(id)
		list = append(list, Base{Kind: id.Kind, Key: id.Key, Revision: live.Revision})
	}
	slices.SortFunc(list, compareBases)
	return list
}

func compareBases(a, b Base) int { return strings.Compare(a.id().String(), b.id().String()) }

// moved returns those bases that are no longer what they were, as they are now.
func moved(s State, list []Base) []Base {
	var now []Base
	for _, b := range list {
		if live, _ := s.Document(b.id()); live.Revision != b.Revision {
			now = append(now, Base{Kind: b.Kind, Key: b.Key, Revision: live.Revision})
		}
	}
	return now
}

// dependencies returns what a document refers to: prerequisites and segments.
func dependencies(d changelog.Document) []changelog.ID {
	var ids []changelog.ID
	for _, key := range prerequisites(d) {
		ids = append(ids, changelog.ID{Kind: changelog.KindFlag, Key: key})
	}
	var content any
	if d.Body == nil || d.Kind == changelog.KindSettings || json.Unmarshal(d.Body, &content) != nil {
		return ids
	}
	if flag, ok := content.(map[string]any); ok && d.Kind == changelog.KindFlag {
		content = flag["targeting"]
	}
	segments := make(map[string]bool)
	referred(content, segments)
	for _, key := range slices.Sorted(maps.Keys(segments)) {
		ids = append(ids, changelog.ID{Kind: changelog.KindSegment, Key: key})
	}
	return ids
}

// referred collects the names of the segments that a rule refers to.
func referred(rule any, segments map[string]bool) {
	switch rule := rule.(type) {
	case []any:
		for _, element := range rule {
			referred(element, segments)
		}
	case map[string]any:
		for name, argument := range rule {
			if key, ok := argument.(string); ok && name == "$ref" {
				segments[key] = true
			}
			referred(argument, segments)
		}
	}
}
