package control

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

func (r Replace) decide(s State) (Decision, error) {
	if err := r.Validate(); err != nil {
		return Decision{}, err
	}
	difference := r.difference(s)
	if len(difference) == 0 {
		return Decision{}, nil
	}
	after, problems, warnings := candidate(s.Rules(), difference)
	if len(problems) > 0 {
		return Decision{}, &Refusal{Cause: CauseInvalid, Detail: "The documents cannot be published as they are.", Problems: problems}
	}
	if len(difference) <= changelog.MaxEntries {
		return Decision{Parts: [][]document.Document{difference}, Warnings: warnings}, nil
	}
	parts, err := divide(s.Rules(), after, inDependencyOrder(s, after, difference), changelog.MaxEntries)
	return Decision{Parts: parts, Warnings: warnings}, err
}

// Validate returns why the log would not take the documents, whatever the environment has; nil if it would. The error is a *Refusal.
func (r Replace) Validate() error {
	seen := make(map[document.ID]bool, len(r.Documents))
	for _, d := range r.Documents {
		id := d.ID()
		if err := acceptable(id, d.Body, seen[id]); err != nil {
			return err
		}
		seen[id] = true
	}
	return nil
}

// difference returns the documents to put, in the order in which they are wanted, then those to delete, sorted.
func (r Replace) difference(s State) []document.Document {
	wanted := make(map[document.ID]bool, len(r.Documents))
	var difference []document.Document
	for _, d := range r.Documents {
		id := d.ID()
		wanted[id] = true
		if live, exists := s.Document(id); !exists || !bytes.Equal(live.Body, d.Body) {
			difference = append(difference, document.Document{Kind: id.Kind, Key: id.Key, Body: d.Body})
		}
	}
	puts := len(difference)
	for live := range s.Documents() {
		if !wanted[live.ID()] {
			difference = append(difference, document.Document{Kind: live.Kind, Key: live.Key})
		}
	}
	slices.SortFunc(difference[puts:], func(a, b document.Document) int {
		return a.ID().Compare(b.ID())
	})
	return difference
}

// acceptable refuses a document that the log would not take, before anything is written.
func acceptable(id document.ID, body []byte, twice bool) error {
	switch err := id.Validate(); {
	case err != nil:
		return &Refusal{Cause: CauseMalformed, Detail: sentence(err)}
	case twice:
		return &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("There are two documents for %s %q.", id.Kind, id.Key)}
	case body == nil:
		return &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("The document for %s %q is missing.", id.Kind, id.Key)}
	case len(body) > document.MaxSize:
		return &Refusal{Cause: CauseTooLarge, Detail: fmt.Sprintf("The document for %s %q has %d bytes, at most %d are allowed.",
			id.Kind, id.Key, len(body), document.MaxSize)}
	}
	return nil
}

// inDependencyOrder sorts changes so that nothing comes before what it depends on, nor is deleted before what depends on it: settings,
// segments, flags, deletions. Settings that end the tolerance of the flagd compatibility come last, when nothing needs it any more. after is
// the rules with all changes.
func inDependencyOrder(s State, after *eval.Ruleset, changes []document.Document) []document.Document {
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
			deletedFlags = append(deletedFlags, c)
		}
	}
	deletedFlags = prerequisitesFirst(s.Rules(), deletedFlags)
	slices.Reverse(deletedFlags)
	documents := slices.Concat(segments, prerequisitesFirst(after, flags), deletedFlags, deletedSegments)
	if s.Rules().Compatibility() == eval.CompatibilityFlagd && after.Compatibility() != eval.CompatibilityFlagd {
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
