package decide

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// owned refuses changes of what a followed source owns unless the source makes them, and changes that name such a source as the owner. They are
// those of the check, which go without approvals if the glass is broken.
func (k *policyCheck) owned(broken bool) *Refusal {
	if k.in.Origin.Owner {
		return nil
	}
	for _, d := range k.documents {
		live, _ := k.in.State.Document(d.ID())
		t := handover{document: d.ID(), live: live, next: d, before: ownership.Owner(live.Body), after: ownership.Owner(d.Body), broken: broken}
		if refusal := t.refused(k); refusal != nil {
			return refusal
		}
	}
	return nil
}

// handover is a document with the owners that it has and is to have.
type handover struct {
	document      document.ID
	live, next    document.Document
	before, after string
	broken        bool // without approvals
}

// refused returns why the document may not change hands, or not be changed, like this; nil if it may.
func (t handover) refused(k *policyCheck) *Refusal {
	by := k.in.Origin.Principal
	owner, next := ownership.Followed(t.before), ownership.Followed(t.after)
	switch {
	case by.Kind == access.KindSource:
		return t.bySource(by.ID)
	case owner != "" && t.broken && t.next.Body == nil:
		return t.refusal("The %s %q cannot be deleted without its source, which would put it again: turn it off, or delete it in %s.", ownership.Place(t.before))
	case owner != "" && t.broken && t.after == ownership.Take(t.before):
		return nil
	case owner != "" && t.after == t.before && t.besideMetadata():
		return nil
	case owner != "" && !t.broken && t.released():
		return k.refused(access.Administer)
	case owner != "":
		return t.refusal("The %s %q is what %s says: change it there. To change it here in an emergency, break the glass.", ownership.Place(t.before))
	case next != "", ownership.Taken(t.after) != "" && t.after != t.before:
		return t.refusal("The %s %q names a source that a publisher follows as its owner, %s, which only that can: leave the member "+
			document.SourceMember+" out.", ownership.Place(t.after))
	case ownership.Taken(t.before) != "" && t.next.Body == nil:
		return t.refusal("The %s %q was taken out of the hands of its source, %s, which would put it again: give it back first, and delete it there.",
			ownership.Place(t.before))
	case ownership.Taken(t.before) != "" && t.after == "" && !t.released():
		return t.refusal("The %s %q was taken out of the hands of its source, %s, which would have it back: leave the member "+document.SourceMember+
			" as it is, or take only that out to give it back.", ownership.Place(t.before))
	}
	return nil
}

// bySource returns why a source may not change the document.
func (t handover) bySource(source string) *Refusal {
	mine := func(owner string) bool { return ownership.Source(owner) == source }
	takesBack := ownership.Taken(t.before) == source && mine(t.after) && t.same()
	if t.next.Body != nil && t.after != "" && !mine(t.after) || ownership.Reserved(t.before) && !mine(t.before) && !takesBack {
		return t.refusal("The %s %q is not of the source that changes it, but of %s.", ownership.Place(t.before+t.after))
	}
	return nil
}

// same reports whether the document says the same as before, but for its owner.
func (t handover) same() bool {
	return t.live.Body != nil && t.next.Body != nil && string(ownership.Unmarked(t.live.Body)) == string(ownership.Unmarked(t.next.Body))
}

// besideMetadata reports whether only members of the settings change that no source says: of these, metadata alone is its.
func (t handover) besideMetadata() bool {
	if t.document.Kind != document.KindSettings || t.next.Body == nil {
		return false
	}
	before, after := metadataOf(t.live.Body), metadataOf(t.next.Body)
	return before != nil && string(before) == string(after)
}

// metadataOf returns the metadata of settings in a form that is the same for the same; nil if there are none.
func metadataOf(settings []byte) []byte {
	var members struct {
		Metadata jsontext.Value `json:"metadata"`
	}
	if json.Unmarshal(settings, &members) != nil || members.Metadata == nil || members.Metadata.Canonicalize() != nil {
		return nil
	}
	return members.Metadata
}

// released reports whether nothing changes but that the document has no owner any more.
func (t handover) released() bool { return t.after == "" && t.same() }

func (t handover) refusal(format, place string) *Refusal {
	return &Refusal{Cause: CauseSourceOwned, Detail: fmt.Sprintf(format, t.document.Kind, t.document.Key, place)}
}

// taken returns documents as they are to be where the glass is broken: out of the hands of the sources that own them.
func taken(s State, documents []document.Document) ([]document.Document, bool) {
	var changed []document.Document
	for i, d := range documents {
		live, _ := s.Document(d.ID())
		owner := ownership.Owner(live.Body)
		if ownership.Followed(owner) == "" {
			owner = ownership.Owner(d.Body)
		}
		if d.Body == nil || ownership.Followed(owner) == "" {
			continue
		}
		if changed == nil {
			changed = append(changed, documents...)
		}
		changed[i].Body = ownership.Marked(d.Body, ownership.Take(owner))
	}
	return changed, changed != nil
}

// proposed returns what is compiled for a proposal: with the glass broken, what followed sources own is taken out of their hands.
func (c ProposalSpec) proposed(s State, d Decision) *Candidate {
	if !c.BreakGlass {
		return d.Candidate
	}
	if documents, any := taken(s, d.Candidate.Documents); any {
		return Compile(s, documents)
	}
	return d.Candidate
}

// mayChangeHands asks whether the documents of a request may be applied by their owners.
func (k *policyCheck) mayChangeHands(r requests.Request) *Refusal {
	author := *k
	author.in.Origin.Principal = r.Proposal.Author.Principal()
	return author.owned(r.Proposal.BreakGlass)
}
