package decide

import (
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// inDependencyOrder sorts changes so that nothing comes before what it depends on, nor is deleted before what depends on it: settings,
// segments, flags, deletions. Settings that end the tolerance of the flagd compatibility come last, when nothing needs it any more.
func inDependencyOrder(before, after *eval.Ruleset, changes []document.Document) []document.Document {
	var settings, segments, flags, deletedFlags, deletedSegments []document.Document
	for _, d := range changes {
		switch {
		case d.Kind == document.KindSettings:
			settings = append(settings, d)
		case d.Kind == document.KindSegment && d.Body != nil:
			segments = append(segments, d)
		case d.Kind == document.KindSegment:
			deletedSegments = append(deletedSegments, d)
		case d.Body != nil:
			flags = append(flags, d)
		default:
			deletedFlags = append(deletedFlags, d)
		}
	}
	deletedFlags = prerequisitesFirst(before, deletedFlags)
	slices.Reverse(deletedFlags)
	documents := slices.Concat(segments, prerequisitesFirst(after, flags), deletedFlags, deletedSegments)
	if before.Compatibility() == eval.CompatibilityFlagd && after.Compatibility() != eval.CompatibilityFlagd {
		return append(documents, settings...)
	}
	return append(settings, documents...)
}

// prerequisitesFirst sorts flags, which have no cycles, so that each comes after its prerequisites among them.
func prerequisitesFirst(rules *eval.Ruleset, flags []document.Document) []document.Document {
	at := make(map[document.ID]int, len(flags))
	for i, f := range flags {
		at[f.ID()] = i
	}
	sorted := make([]document.Document, 0, len(flags))
	visited := make([]bool, len(flags))
	var visit func(i int)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		for _, id := range rules.Dependencies(flags[i].ID()) {
			if j, ok := at[id]; ok {
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
