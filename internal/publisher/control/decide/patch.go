package decide

import (
	"fmt"

	"github.com/flagside/flagside/document"
)

// Patch changes members of one document by a JSON Merge Patch (RFC 7396).
type Patch struct {
	ID    document.ID
	Merge []byte // JSON
	If    Precondition
}

// Toggle turns a flag on or off, whatever it is now.
type Toggle struct {
	Flag string
	On   bool
	If   Precondition
}

func (p Patch) decide(s State) (Decision, error) {
	put, err := p.put(s)
	if err != nil {
		return Decision{}, err
	}
	return put.decide(s)
}

// put returns what the patch leads to.
func (p Patch) put(s State) (Put, error) {
	live, exists := s.Document(p.ID)
	if err := p.If.check(s, p.ID, live, exists); err != nil {
		return Put{}, err
	}
	if !exists {
		return Put{}, NotFound(p.ID)
	}
	patch, err := compact(p.Merge)
	if err != nil {
		return Put{}, err
	}
	body, err := merge(live.Body, patch)
	if err != nil {
		return Put{}, &Refusal{Cause: CauseMalformed, Detail: "The patch cannot be applied: " + err.Error() + "."}
	}
	return Put{ID: p.ID, Body: body, If: p.If}, nil
}

func (t Toggle) decide(s State) (Decision, error) { return t.patch().decide(s) }

func (t Toggle) patch() Patch {
	state := map[bool]string{true: "ENABLED", false: "DISABLED"}[t.On]
	return Patch{ID: document.ID{Kind: document.KindFlag, Key: t.Flag}, Merge: fmt.Appendf(nil, `{"state":%q}`, state), If: t.If}
}
