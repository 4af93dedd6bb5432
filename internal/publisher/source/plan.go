package source

import (
	"cmp"
	"errors"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

// Options say what a plan may do.
type Options struct {
	// Owner is the name of the source; empty marks nothing and has no conflicts.
	Owner string
	// Marks are the owners that documents get where that is not Owner itself but something in it, such as an object of a namespace.
	Marks map[document.ID]string
	// Others are the sources that have put what carries no owner, a segment that is a list for one, and is not as this one wants it.
	Others map[document.ID]string
	// Prune deletes the flags and segments that the source owns and does not name.
	Prune bool
	// TakeOver makes the source the owner of what another one owns, in place of a conflict.
	TakeOver bool
	// Around leaves out what is a conflict, and plans the rest.
	Around bool
	// Rules are those of the live documents.
	Rules *eval.Ruleset
	// MaxDocuments and MaxBytes, of all bodies, bound each transaction.
	MaxDocuments, MaxBytes int
}

// Refusal is the error of a plan that cannot be carried out.
type Refusal struct {
	Detail string // one or two sentences for people
	// Problems are those of the documents as they would be.
	Problems eval.Problems
}

// Error returns the detail and the problems, one a line.
func (r *Refusal) Error() string {
	if len(r.Problems) == 0 {
		return r.Detail
	}
	return r.Detail + "\n" + r.Problems.Error()
}

// Change is one document that a plan changes.
type Change struct {
	document.ID

	// Before is the body that it has, nil if it does not exist; After is the one that it gets, nil if it is deleted.
	Before, After []byte
	// Base is the revision that it has; 0 if it does not exist.
	Base uint64
}

// What a plan does to a document.
const (
	Added   = string(decide.Added)
	Changed = string(decide.Changed)
	Deleted = string(decide.Deleted)
)

// Done says what the plan does to the document: Added, Changed or Deleted.
func (c Change) Done() string {
	switch {
	case c.After == nil:
		return Deleted
	case c.Before == nil:
		return Added
	default:
		return Changed
	}
}

// Adopts reports whether the document changes its owner only.
func (c Change) Adopts() bool {
	return c.Before != nil && c.After != nil && Same(ownership.Unmarked(c.Before), ownership.Unmarked(c.After))
}

// Conflict is a document of the source that another source owns.
type Conflict struct {
	document.ID

	Owner string
}

// Plan is what an environment needs to become what a source says.
type Plan struct {
	// Parts are the transactions, in order. Each leaves a valid environment. There are none if nothing is to be done.
	Parts [][]Change
	// Conflicts forbid the plan, unless it was made around them.
	Conflicts []Conflict
	// Unchanged is how many documents of the source are as it says.
	Unchanged int
	// Warnings are slips that are tolerated.
	Warnings eval.Problems
}

// Changes returns all changes, in the order in which they are made.
func (p *Plan) Changes() []Change { return slices.Concat(p.Parts...) }

// Deletions returns what the plan deletes.
func (p *Plan) Deletions() []Change {
	return slices.DeleteFunc(p.Changes(), func(c Change) bool { return c.After != nil })
}

// New plans what live documents need to become what a source says. The error is a *Refusal that tells what cannot be evaluated, or cannot be divided
// into transactions. A plan with conflicts has no parts, unless it was to be made around them.
func New(live, wanted []document.Document, o Options) (Plan, error) {
	p := Plan{}
	before := make(map[document.ID]document.Document, len(live))
	for _, d := range live {
		before[d.ID()] = d
	}
	changes := make(map[document.ID]Change)
	named := make(map[document.ID]bool, len(wanted))
	for _, d := range wanted {
		named[d.ID()] = true
		p.want(changes, before[d.ID()], d, o)
	}
	if o.Prune && o.Owner != "" {
		p.prune(changes, live, named, o.Owner)
	}
	if len(p.Conflicts) > 0 && !o.Around || len(changes) == 0 {
		return p, nil
	}
	return p, p.divide(changes, o)
}

// prune adds the deletions of what the source owns and does not name. What was taken from it stays, and is a conflict.
func (p *Plan) prune(changes map[document.ID]Change, live []document.Document, named map[document.ID]bool, source string) {
	for _, d := range live {
		owner := ownership.Owner(d.Body)
		switch {
		case d.Kind == document.KindSettings || named[d.ID()]:
		case ownership.Source(owner) == source:
			changes[d.ID()] = Change{ID: d.ID(), Before: d.Body, Base: d.Revision}
		case ownership.Taken(owner) == source:
			p.Conflicts = append(p.Conflicts, Conflict{ID: d.ID(), Owner: owner})
		}
	}
}

// want adds what a document of the source needs.
func (p *Plan) want(changes map[document.ID]Change, live, d document.Document, o Options) {
	body := d.Body
	if d.Kind == document.KindSettings {
		if body = settings(live.Body, body); body == nil {
			return // the source says nothing of them
		}
	}
	owner := cmp.Or(ownership.Owner(live.Body), o.Others[d.ID()])
	same := live.Body != nil && Same(ownership.Unmarked(live.Body), ownership.Unmarked(body))
	foreign := o.foreign(owner) && !(same && ownership.Taken(owner) == o.Owner) // which is given back where both say the same
	mark := cmp.Or(o.Marks[d.ID()], o.Owner)
	after := ownership.Marked(body, mark)
	switch {
	case same && d.Kind == document.KindSettings:
		p.Unchanged++ // the sources of an environment share its metadata, and few may change settings for a name alone
	case foreign:
		p.Conflicts = append(p.Conflicts, Conflict{ID: d.ID(), Owner: owner})
	case same && ownership.Owner(after) == owner:
		p.Unchanged++
	default:
		if same { // only the owner changes
			after = ownership.Marked(live.Body, mark)
		}
		changes[d.ID()] = Change{ID: d.ID(), Before: live.Body, After: after, Base: live.Revision}
	}
}

// foreign reports whether what has an owner is in the hands of another source.
func (o Options) foreign(owner string) bool {
	return owner != "" && o.Owner != "" && ownership.Source(owner) != o.Owner && !o.TakeOver
}

// divide orders the changes and puts them into transactions.
func (p *Plan) divide(changes map[document.ID]Change, o Options) error {
	documents := make([]document.Document, 0, len(changes))
	for id, c := range changes {
		documents = append(documents, document.Document{Kind: id.Kind, Key: id.Key, Body: c.After})
	}
	slices.SortFunc(documents, func(a, b document.Document) int { return a.ID().Compare(b.ID()) })
	parts, warnings, err := decide.Divide(o.Rules, documents, decide.Limits{Documents: o.MaxDocuments, Bytes: o.MaxBytes})
	p.Warnings = warnings
	for _, part := range parts {
		var planned []Change
		for _, d := range part {
			planned = append(planned, changes[d.ID()])
		}
		p.Parts = append(p.Parts, planned)
	}
	if refused, ok := errors.AsType[*decide.Refusal](err); ok {
		return &Refusal{Detail: refused.Detail, Problems: refused.Problems}
	}
	return err
}

// Same reports whether two documents say the same: the order of members and the white space between them say nothing.
func Same(a, b []byte) bool { return handwritten.Same(a, b) }

// settings returns the settings with the members of a source in the place of theirs; nil if it has none but the compatibility, which a
// source takes from its environment.
func settings(live, wanted []byte) []byte {
	metadata := memberOf(wanted, "metadata")
	if metadata == nil {
		return nil
	}
	if live == nil {
		live = []byte("{}")
	}
	if old := memberOf(live, "metadata"); old != nil && Same(old, metadata) {
		return live
	}
	return withMember(ownership.Unmarked(live), "metadata", metadata)
}
