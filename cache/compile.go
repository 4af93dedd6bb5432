package cache

import (
	"bytes"
	"maps"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

func emptyView(environment string, maxWork int) *View {
	return &View{environment: environment, state: emptyState(), rules: eval.NewWithin(maxWork)}
}

// with returns the View after changes. They are compiled together; only when
// one of them does not compile, one after the other, so that what is kept of a
// document is the last version that did.
func (v *View) with(changes []change) *View {
	rules, problems := v.rules.Update(latest(changes))
	d := newDraft(v.state)
	d.apply(sharing(rules, changes))
	next := v.compiled(d.freeze(), rules, latest(changes), problems)
	if problems.Err() == nil || len(changes) == 1 {
		return next
	}
	next = v
	for i := range changes {
		next = next.with(changes[i : i+1])
	}
	return next
}

// replaced returns the View with the documents of another state. A document of
// it that does not compile is represented by the version that v has.
func (v *View) replaced(s state) *View {
	if v.Count() == 0 && len(v.lastGood) == 0 {
		next, _ := v.loaded(s, nil)
		return next
	}
	next, _ := v.become(s, v.state.difference(s))
	return next
}

// loaded returns the View of a state where v has no documents, of which some flags are compiled at once and most of the others when they are
// first asked for, or by [eval.Ruleset.Finish]. It reports whether all that was compiled at once did compile.
func (v *View) loaded(s state, now map[string]bool) (next *View, ok bool) {
	documents := slices.AppendSeq(make([]document.Document, 0, s.documents.count), s.documents.all())
	rules, problems := v.rules.Load(documents, now)
	return &View{environment: v.environment, state: s, rules: rules}, problems.Err() == nil
}

// become compiles the changed documents that turn v into s, and reports
// whether all of them did compile.
func (v *View) become(s state, changed []document.Document) (next *View, ok bool) {
	rules, problems := v.rules.Update(changed)
	return v.compiled(s, rules, changed, problems), problems.Err() == nil
}

// compiled returns the View of a state with the rules that changed documents have made of those of v.
func (v *View) compiled(s state, rules *eval.Ruleset, changed []document.Document, problems eval.Problems) *View {
	return &View{environment: v.environment, state: s, rules: rules, lastGood: v.keepLastGood(rules, changed, problems)}
}

// sharing returns the changes with the bodies that the rules have, so that those of rules that were prepared are not kept twice.
func sharing(rules *eval.Ruleset, changes []change) []change {
	shared := slices.Clone(changes)
	for i := range shared {
		shared[i].documents = slices.Clone(shared[i].documents)
		for j, d := range shared[i].documents {
			if f := rules.Flag(d.Key); d.Kind == document.KindFlag && f != nil && bytes.Equal(f.Document(), d.Body) {
				shared[i].documents[j].Body = f.Document()
			}
		}
	}
	return shared
}

// keepLastGood returns the documents that are needed, beside the current ones,
// to compile the same rules again: the versions before the changes that did not
// compile. It is empty while everything compiles.
//
// A document that compiles may still break one that depends on it, so of a
// change with problems all documents are kept.
func (v *View) keepLastGood(rules *eval.Ruleset, changed []document.Document, problems eval.Problems) map[document.ID]goodVersion {
	failed, fails := failing(v.rules.Problems()), failing(problems)
	if len(fails) == 0 && len(v.lastGood) == 0 || rules.Problems().Err() == nil {
		return nil
	}
	kept := maps.Clone(v.lastGood)
	if kept == nil {
		kept = make(map[document.ID]goodVersion)
	}
	for _, doc := range changed {
		id := doc.ID()
		before, existed := v.Document(id)
		_, known := kept[id]
		switch {
		case len(fails) == 0 || !existed:
			delete(kept, id)
		case fails[id] && !failed[id], !fails[id] && !known:
			kept[id] = goodVersion{document: before, head: v.state.head, hashes: v.state.hashes}
		}
	}
	return kept
}

func failing(problems eval.Problems) map[document.ID]bool {
	ids := make(map[document.ID]bool)
	for i := range problems {
		if !problems[i].Warning {
			ids[problems[i].ID()] = true
		}
	}
	return ids
}

// compile returns the View of a state from its documents and the last good
// versions that were kept with them: first the rules that these make, then
// those of the current documents, as when they came one after the other.
func compile(empty *View, s state, lastGood []goodVersion) *View {
	if len(lastGood) == 0 {
		return empty.replaced(s)
	}
	d := newDraft(s)
	for _, good := range lastGood {
		d.put(good.document)
	}
	before := empty.replaced(d.freeze())
	next := before.replaced(s)
	for _, good := range lastGood { // with the proof that they had
		if _, kept := next.lastGood[good.document.ID()]; kept {
			next.lastGood[good.document.ID()] = good
		}
	}
	return next
}
