package decide

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
)

// patchedRisk returns the settings after a merge patch.
func patchedRisk(r risk.Settings, patch []byte) (risk.Settings, error) {
	change, err := compact(patch)
	if err != nil {
		return r, err
	}
	if jsontext.Value(change).Kind() != '{' {
		return r, &Refusal{Cause: CauseMalformed, Detail: `A patch of what is risky is a JSON object with the members to change, such as {"protected":true}.`}
	}
	before, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("risk settings: %w", err)
	}
	after, err := merge(before, change)
	if err != nil {
		return r, &Refusal{Cause: CauseMalformed, Detail: "The patch cannot be applied: " + err.Error() + "."}
	}
	var result risk.Settings
	if err := json.Unmarshal(after, &result, json.RejectUnknownMembers(true)); err != nil {
		return r, &Refusal{Cause: CauseMalformed, Detail: "The patch does not lead to settings of risk: " + err.Error() + "."}
	}
	return result, nil
}

// PatchRisk changes members of what is risky in the environment by a JSON Merge Patch (RFC 7396).
type PatchRisk struct{ Merge []byte }

func (c PatchRisk) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	settings, err := patchedRisk(g.Risk(), c.Merge)
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
