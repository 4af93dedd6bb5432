package decide

import (
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

// PatchLifecycle changes members of what holds for flags that grow old by a JSON Merge Patch (RFC 7396).
type PatchLifecycle struct{ Merge []byte }

func (c PatchLifecycle) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	policy, err := c.Of(g.Lifecycle())
	if err != nil {
		return requests.Event{}, nil, err
	}
	e := requests.Event{Type: requests.EventLifecycle, Text: in.Origin.Reason, Lifecycle: &policy}
	return e, nil, in.check(g, nil).must(access.Administer)
}

// Of returns the policy after the patch, or the refusal of a patch that leads to none.
func (c PatchLifecycle) Of(policy lifecycle.Policy) (lifecycle.Policy, error) {
	patched, err := patchedSettings(policy, c.Merge, "of the lifecycle of flags", `{"staleDays":60}`)
	if err != nil {
		return policy, err
	}
	if err := patched.Validate(); err != nil {
		return policy, &Refusal{Cause: CauseMalformed, Detail: sentence(err)}
	}
	return patched, nil
}
