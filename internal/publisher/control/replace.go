package control

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

func (r Replace) decide(s State) (Decision, error) {
	if err := r.Validate(); err != nil {
		return Decision{}, err
	}
	difference := r.difference(s)
	if len(difference) == 0 {
		return Decision{}, nil
	}
	return Compile(s, difference).divided(s)
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
		return bytes.Compare([]byte(a.ID().String()), []byte(b.ID().String()))
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
