package control

import (
	"cmp"
	"fmt"
	"unicode/utf8"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// Command is something to be done to an environment: a Put, Patch, Toggle, Delete, Archive, Replace, Transfer or Restore.
type Command interface {
	decide(s State) (Decision, error)
}

// Put creates or replaces one document. A document that is identical to the live one changes nothing, and nothing is written.
type Put struct {
	ID   document.ID
	Body []byte // JSON; insignificant white space is removed
	If   Precondition
}

// Delete removes one document.
type Delete struct {
	ID document.ID
	If Precondition
}

// Replace makes the documents the only ones of the environment: those that differ are put, all others deleted. It is one transaction
// unless more than changelog.MaxEntries documents differ; then it is several, each of which leaves a valid environment, and a
// Replace that was interrupted is completed by repeating it.
type Replace struct {
	// Documents are the wanted ones, segments after those that they refer to. Their bodies are compact JSON.
	Documents []document.Document
}

// Precondition says what the author of a command has seen. Without one, every Put and Delete is refused, because it could undo a
// change that its author does not know of. The zero value is none.
type Precondition struct {
	// Match is the revision that the document must have.
	Match changelog.Token
	// Absent says that the document must not exist.
	Absent bool
}

// Origin says where a command comes from. It is written to the log with the change.
type Origin struct {
	Actor  string // opaque id of who asks
	Reason string // at most changelog.MaxReason bytes
	// Owner says that the command comes from what a read-only environment has its documents from.
	Owner bool
	// Principal is who asks, for policies.
	Principal access.Principal
	// Key makes a command idempotent: repeating it within KeyLifetime with the same key changes nothing again.
	Key string
}

// actor returns what records call who asks: access.Unregistered for a person whom Service has not identified yet.
func (o Origin) actor() string { return cmp.Or(o.Actor, o.Principal.RecordID()) }

// Validate reports why a reason cannot be recorded.
func (o Origin) Validate() error {
	switch {
	case len(o.Reason) > changelog.MaxReason:
		return &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("The reason has %d bytes, at most %d are allowed.",
			len(o.Reason), changelog.MaxReason)}
	case !utf8.ValidString(o.Reason):
		return &Refusal{Cause: CauseMalformed, Detail: "The reason is not valid UTF-8."}
	}
	return nil
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
