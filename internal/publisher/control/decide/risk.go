package decide

import (
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
)

// PatchRisk changes members of what is risky in the environment by a JSON Merge Patch (RFC 7396).
type PatchRisk struct{ Merge []byte }

func (c PatchRisk) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	settings, err := patchedSettings(g.Risk(), c.Merge, "of risk", `{"protected":true}`)
	if err != nil {
		return requests.Event{}, nil, err
	}
	return SetRisk{Settings: settings}.decideRequest(g, in)
}

// SetRisk says what is risky in the environment.
type SetRisk struct{ Settings risk.Settings }

func (c SetRisk) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	if err := c.Settings.Validate(); err != nil {
		return requests.Event{}, nil, &Refusal{Cause: CauseMalformed, Detail: sentence(err)}
	}
	return requests.Event{Type: requests.EventRisk, Text: in.Origin.Reason, Risk: &c.Settings}, nil, in.check(g, nil).must(access.Administer)
}
