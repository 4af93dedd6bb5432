package decide

import (
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Command is something to be done to an environment: a Put, Patch, Toggle, Delete, Archive, Replace, Transfer or Restore.
type Command interface {
	decide(s State) (Decision, error)
}

// Decision is what a command leads to.
type Decision struct {
	// Parts are the transactions to append, in this order. There are none when the command changes nothing.
	Parts [][]document.Document
	// Unchanged is the revision of the live document that a Put repeats; zero otherwise.
	Unchanged changelog.Token
	// Candidate is the state as it becomes; nil when nothing changes.
	Candidate *Candidate
}

// Warnings returns the slips that are tolerated.
func (d Decision) Warnings() eval.Problems {
	if d.Candidate == nil {
		return nil
	}
	return d.Candidate.Warnings
}

// Change derives from a state what a command leads to. The error is always a *Refusal.
func Change(s State, c Command) (Decision, error) { return c.decide(s) }
