package decide

import "github.com/flagside/flagside/internal/publisher/control/requests"

// SeenVersion is a version of a source that a publisher reads now. Publishers may read different ones at the same time, because mounts are not updated
// at once everywhere, and must not undo each other's work.
type SeenVersion struct {
	requests.SourceVersion

	// Changed tells that the publisher has seen the source change to this version, or has just started with it, and has not taken it up yet.
	Changed bool
	// Before are the digests of the versions that the publisher has read itself.
	Before map[string]bool
	// Certain tells that nothing was newer when the version was read, at any publisher.
	Certain bool
	// Sole tells that there is no other publisher.
	Sole bool
}

// Verdict says what a publisher does with a version that it reads.
type Verdict int

// The verdicts.
const (
	// TakenUp means that the version is the one that counts.
	TakenUp Verdict = iota + 1
	// TakeUp means that it is to be recorded as the one that counts.
	TakeUp
	// Behind means that another publisher has taken up one that came later, as far as anything here tells.
	Behind
)

// Judge says what to do with a version, by those that were taken up before.
func (v SeenVersion) Judge(known requests.Versions) Verdict {
	newest := known.Newest()
	switch {
	case v.Digest == newest.Digest:
		return TakenUp
	case len(known) == 0, v.Sole:
		return TakeUp
	case !v.Changed:
		return Behind // another publisher has seen it change since
	case v.Certain:
		return TakeUp
	case v.Order > 0 && newest.Order > 0:
		if v.Order < newest.Order {
			return Behind
		}
		return TakeUp
	case known.Has(v.Digest) && !v.Before[newest.Digest]:
		return Behind // it may be what the newest has replaced, still mounted here
	}
	return TakeUp
}

// Event returns the record that a version is taken up, or zero if nothing is to be recorded.
func (v SeenVersion) Event(g *requests.Governance, in DecisionInput) (requests.Event, Verdict) {
	verdict := v.Judge(g.Versions(v.Name))
	if verdict != TakeUp {
		return requests.Event{}, verdict
	}
	taken := v.SourceVersion
	return requests.Event{Type: requests.EventSourceVersion, By: in.Origin.By(), At: in.Now.UTC(), Source: &taken}, verdict
}
