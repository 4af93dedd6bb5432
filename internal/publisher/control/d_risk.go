package control

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// patchedRisk returns the settings after a merge patch.
func patchedRisk(r RiskSettings, patch []byte) (RiskSettings, error) {
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
	var result RiskSettings
	if err := json.Unmarshal(after, &result, json.RejectUnknownMembers(true)); err != nil {
		return r, &Refusal{Cause: CauseMalformed, Detail: "The patch does not lead to settings of risk: " + err.Error() + "."}
	}
	return result, nil
}
