package decide

import (
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// inDependencyOrder sorts changes so that nothing comes before what it depends on, nor is deleted before what depends on it: settings,
// segments, flags, deletions. Settings that end the tolerance of the flagd compatibility come last, when nothing needs it any more.
func inDependencyOrder(s State, changes []document.Document) []document.Document {
	var settings, segments, flags, deletedFlags, deletedSegments []document.Document
	for _, c := range changes {
		switch {
		case c.Kind == document.KindSettings:
			settings = append(settings, c)
		case c.Kind == document.KindSegment && c.Body != nil:
			segments = append(segments, c)
		case c.Kind == document.KindSegment:
			deletedSegments = append(deletedSegments, c)
		case c.Body != nil:
			flags = append(flags, c)
		default:
			live, _ := s.Document(c.ID())
			deletedFlags = append(deletedFlags, live)
		}
	}
	deletedFlags = prerequisitesFirst(deletedFlags)
	slices.Reverse(deletedFlags)
	for i := range deletedFlags {
		deletedFlags[i].Body = nil
	}
	documents := slices.Concat(segments, prerequisitesFirst(flags), deletedFlags, deletedSegments)
	if endsTolerance(s.Rules(), settings) {
		return append(documents, settings...)
	}
	return append(settings, documents...)
}

func endsTolerance(rules *eval.Ruleset, settings []document.Document) bool {
	if rules.Compatibility() != eval.CompatibilityFlagd {
		return false
	}
	next, _, _ := compileInto(rules, settings)
	return next.Compatibility() != eval.CompatibilityFlagd
}

// prerequisitesFirst sorts flags, which have no cycles, so that each comes after its prerequisites among them.
func prerequisitesFirst(flags []document.Document) []document.Document {
	at := make(map[string]int, len(flags))
	for i, f := range flags {
		at[f.Key] = i
	}
	sorted := make([]document.Document, 0, len(flags))
	visited := make([]bool, len(flags))
	var visit func(i int)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		for _, key := range prerequisites(flags[i]) {
			if j, ok := at[key]; ok {
				visit(j)
			}
		}
		sorted = append(sorted, flags[i])
	}
	for i := range flags {
		visit(i)
	}
	return sorted
}

// prerequisites returns the keys of the flags that a flag document names as its prerequisites. The document was compiled, so what
// cannot be read here does not count there either.
func prerequisites(flag document.Document) []string {
	var doc struct {
		Prerequisites []struct {
			Flag string `json:"flag"`
		} `json:"prerequisites"`
	}
	if flag.Kind != document.KindFlag || json.Unmarshal(flag.Body, &doc) != nil {
		return nil
	}
	keys := make([]string, len(doc.Prerequisites))
	for i, p := range doc.Prerequisites {
		keys[i] = p.Flag
	}
	return keys
}
