package decide

import (
	"bytes"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Candidate is a state with changes applied, compiled. A change is compiled once: its decision carries the candidate, and whatever else asks
// what the change leads to takes it from there. It is immutable.
type Candidate struct {
	Documents []document.Document
	Rules     *eval.Ruleset
	Problems  eval.Problems // forbid the changes
	Warnings  eval.Problems // slips that are tolerated

	at changelog.Position // of the state without the changes
}

// Compile compiles the rules of a state with the changes applied, at the revisions that they get if they are the next transaction. Then the state
// that they lead to takes these rules, as long as the candidate is in use, and is not compiled again.
func Compile(s State, changes []document.Document) *Candidate {
	c := &Candidate{Documents: changes, at: s.Position()}
	next := slices.Clone(changes)
	for i := range next {
		next[i].Revision = c.at.Revision + uint64(i) + 1 // #nosec G115 -- far fewer
	}
	var problems eval.Problems
	c.Rules, problems = s.Rules().Prepare(next)
	c.Problems, c.Warnings = divided(problems)
	return c
}

// Or returns c if it is of the same changes to the same state, and compiles them otherwise; nil is of none.
func (c *Candidate) Or(s State, changes []document.Document) *Candidate {
	if c != nil && c.at == s.Position() && c.Of(changes) {
		return c
	}
	return Compile(s, changes)
}

// Of reports whether the changes are those of the candidate.
func (c *Candidate) Of(changes []document.Document) bool {
	return slices.EqualFunc(c.Documents, changes, func(a, b document.Document) bool {
		return a.ID() == b.ID() && (a.Body == nil) == (b.Body == nil) && bytes.Equal(a.Body, b.Body)
	})
}

// decision returns the decision to write the changes in one transaction.
func (c *Candidate) decision() Decision {
	return Decision{Parts: [][]document.Document{c.Documents}, Candidate: c}
}

// compileInto compiles rules with the changes applied, and returns the problems that forbid them and those that are mere warnings.
func compileInto(rules *eval.Ruleset, changes []document.Document) (next *eval.Ruleset, fatal, warnings eval.Problems) {
	next, problems := rules.Update(changes)
	fatal, warnings = divided(problems)
	return next, fatal, warnings
}

// divided returns the problems that forbid a change, and those that are mere warnings.
func divided(problems eval.Problems) (fatal, warnings eval.Problems) {
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			fatal = append(fatal, p)
		}
	}
	return fatal, warnings
}
