package decide

import (
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Precondition says what the author of a command has seen. Without one, every Put and Delete is refused, because it could undo a
// change that its author does not know of. The zero value is none.
type Precondition struct {
	// Match is the revision that the document must have.
	Match changelog.Token
	// Absent says that the document must not exist.
	Absent bool
}

// check refuses a command whose author has not seen the document as it is.
func (p Precondition) check(s State, id document.ID, live document.Document, exists bool) error {
	switch {
	case p == Precondition{}:
		return &Refusal{Cause: CausePreconditionMissing, Detail: "Say what you have seen: If-Match with the ETag of the document, " +
			"or If-None-Match: * to create it."}
	case p.Absent && exists:
		return p.failed(Token(s, live), "The %s %q exists already.", id.Kind, id.Key)
	case p.Absent:
		return nil
	case !exists:
		return p.failed(changelog.Token{}, "The %s %q does not exist, or no longer.", id.Kind, id.Key)
	case !p.Match.In(s.Position().Epoch):
		return p.failed(Token(s, live), "Revision %s belongs to another history of the environment, which was restored or recreated: "+
			"read the document again.", p.Match)
	case p.Match.Revision != live.Revision:
		return p.failed(Token(s, live), "The %s %q was changed since revision %s: read it again.", id.Kind, id.Key, p.Match)
	}
	return nil
}

func (p Precondition) failed(current changelog.Token, format string, args ...any) error {
	return &Refusal{Cause: CausePreconditionFailed, Detail: fmt.Sprintf(format, args...), Current: current}
}
