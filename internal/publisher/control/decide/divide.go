package decide

import (
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Limits bound a transaction: its documents, and the bytes of their bodies. 0 bytes is any number.
type Limits struct{ Documents, Bytes int }

// holds reports whether documents are within the limits. One document alone always is.
func (l Limits) holds(documents []document.Document) bool {
	return len(documents) <= 1 || l.fitting(documents) == len(documents)
}

// fitting returns how many documents of the front are within the limits, at least one.
func (l Limits) fitting(documents []document.Document) int {
	size := 0
	for i, d := range documents {
		size += len(d.Body)
		if i > 0 && (i >= l.Documents || l.Bytes > 0 && size > l.Bytes) {
			return i
		}
	}
	return len(documents)
}

// divided returns the decision to write the changes in as many transactions as they need, or why they cannot be written.
func (c *Candidate) divided(s State) (Decision, error) {
	if len(c.Problems) > 0 {
		return Decision{}, invalid(c.Problems)
	}
	if len(c.Documents) <= changelog.MaxEntries {
		return c.decision(), nil
	}
	ordered := *c
	ordered.Documents = inDependencyOrder(s.Rules(), c.Rules, c.Documents)
	parts, err := divide(s.Rules(), c.Rules, ordered.Documents, Limits{Documents: changelog.MaxEntries})
	return Decision{Parts: parts, Candidate: &ordered}, err
}

func invalid(problems eval.Problems) *Refusal {
	return &Refusal{Cause: CauseInvalid, Detail: "The documents cannot be published as they are.", Problems: problems}
}

// Divide returns changes to rules in dependency order, as transactions within the limits, each of which is valid by itself, with the rules that
// they lead to and the slips that are tolerated. The error is a *Refusal.
func Divide(before *eval.Ruleset, changes []document.Document, l Limits) (parts [][]document.Document, warnings eval.Problems, err error) {
	after, fatal, warnings := compileInto(before, changes)
	if len(fatal) > 0 {
		return nil, warnings, invalid(fatal)
	}
	parts, err = divide(before, after, inDependencyOrder(before, after, changes), l)
	return parts, warnings, err
}

// divide splits changes, which are valid together and in dependency order, into parts within the limits, each of which is valid after the ones
// before it. after is the rules with all changes.
func divide(rules, after *eval.Ruleset, changes []document.Document, l Limits) ([][]document.Document, error) {
	var parts [][]document.Document
	before := &basis{rules: rules}
	for len(changes) > 0 {
		if l.holds(changes) { // what is valid together is valid after a part of it
			return append(parts, changes), nil
		}
		p, err := nextPart(before, after, changes, l)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p.documents)
		before, changes = p.leads, p.rest
	}
	return parts, nil
}

// nextPart takes as many changes from the front as are valid together. Where that needs some from further back, because they stop
// depending on what these take away, it takes them too, and fewer from the front if there is no room.
func nextPart(before *basis, after *eval.Ruleset, changes []document.Document, l Limits) (part, error) {
	var problems eval.Problems
	for size := l.fitting(changes); size > 0; size /= 2 {
		p := newPart(changes, size)
		if before.add(after, p.documents) {
			p.leads = before
			return p, nil
		}
		if problems = p.complete(before, after, l); problems == nil {
			return p, nil
		}
	}
	return part{}, &Refusal{
		Cause: CauseEntangled,
		Detail: fmt.Sprintf("The change has more than %d documents and cannot be divided into steps that are valid each: "+
			"make it in smaller steps.", l.Documents),
		Problems: problems,
	}
}

// part is one transaction in the making.
type part struct {
	documents []document.Document
	rest      []document.Document
	leads     *basis // what the next part is made from
}

func newPart(changes []document.Document, size int) part {
	return part{documents: changes[:size:size], rest: changes[size:]}
}

// complete takes what the part needs to be valid from the rest, and returns the problems that remain.
func (p *part) complete(before *basis, after *eval.Ruleset, l Limits) eval.Problems {
	for {
		next, problems, _ := compileInto(before.compiled(), p.documents)
		if len(problems) == 0 {
			p.leads = &basis{rules: next}
			return nil
		}
		if !p.take(p.needed(problems, after), l) {
			return problems
		}
	}
}

// needed returns the documents of the rest that have problems, and all of the rest that those depend on after all
// changes.
func (p *part) needed(problems eval.Problems, after *eval.Ruleset) map[document.ID]bool {
	rest := make(map[document.ID]bool, len(p.rest))
	for _, d := range p.rest {
		rest[d.ID()] = true
	}
	needed := make(map[document.ID]bool)
	var need func(id document.ID)
	need = func(id document.ID) {
		if !rest[id] || needed[id] {
			return
		}
		needed[id] = true
		for _, dependency := range after.Dependencies(id) {
			need(dependency)
		}
	}
	for _, problem := range problems {
		need(problem.ID())
	}
	return needed
}

// take moves documents from the rest to the part. It reports whether there were any, and room for them.
func (p *part) take(needed map[document.ID]bool, l Limits) bool {
	documents := p.documents
	var rest []document.Document
	for _, d := range p.rest {
		if needed[d.ID()] {
			documents = append(documents, d)
		} else {
			rest = append(rest, d)
		}
	}
	if len(documents) == len(p.documents) || !l.holds(documents) {
		return false
	}
	p.documents, p.rest = documents, rest
	return true
}
