package decide

import (
	"fmt"

	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// stale refuses a request when something that it was made from has changed.
func stale(s State, r requests.Request) error {
	if s.Position().Epoch != r.Proposal.Epoch {
		return &Refusal{
			Cause: CauseStale, Request: r.ID, Moved: moved(s, r.Proposal.Bases),
			Detail: "The environment was restored or recreated since the change request was made: rebase it.",
		}
	}
	now := moved(s, r.Proposal.Bases)
	if len(now) == 0 {
		return nil
	}
	return &Refusal{
		Cause: CauseStale, Request: r.ID, Moved: now,
		Detail: fmt.Sprintf("The %s %q was changed since the change request was made from it: rebase the request.", now[0].Kind, now[0].Key),
	}
}

// Against returns a request as it is in a state: one that waits, made from what has changed since, needs a rebase, whether or not it was tried
// to apply it.
func Against(r requests.Request, s State) requests.Request {
	if r.Status != requests.Open && r.Status != requests.NeedsRebase {
		return r
	}
	r.Moved = moved(s, r.Proposal.Bases)
	if len(r.Moved) > 0 || r.Proposal.Epoch != s.Position().Epoch {
		r.Status = requests.NeedsRebase
	}
	return r
}

// moved returns those bases that are no longer what they were, as they are now.
func moved(s State, list []requests.Base) []requests.Base {
	var now []requests.Base
	for _, b := range list {
		if live, _ := s.Document(b.ID()); live.Revision != b.Revision {
			now = append(now, requests.Base{Kind: b.Kind, Key: b.Key, Revision: live.Revision})
		}
	}
	return now
}
