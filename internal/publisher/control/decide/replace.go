package decide

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/flagside/flagside/document"
)

// Replace makes the documents the only ones of the environment: those that differ are put, all others deleted. It is one transaction
// unless more than changelog.MaxEntries documents differ; then it is several, each of which leaves a valid environment, and a
// Replace that was interrupted is completed by repeating it.
type Replace struct {
	// Documents are the wanted ones, segments after those that they refer to. Their bodies are compact JSON.
	Documents []document.Document
}

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
