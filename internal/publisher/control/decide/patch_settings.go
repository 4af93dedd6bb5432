package decide

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// patchedSettings returns settings after a merge patch. Refusals name the settings as in "settings of risk", and give an example of a patch.
func patchedSettings[T any](settings T, patch []byte, name, example string) (T, error) {
	change, err := compact(patch)
	if err != nil {
		return settings, err
	}
	if jsontext.Value(change).Kind() != '{' {
		return settings, &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("A patch of settings %s is a JSON object with the members to change, such as %s.", name, example)}
	}
	before, err := json.Marshal(settings)
	if err != nil {
		return settings, fmt.Errorf("settings %s: %w", name, err)
	}
	after, err := merge(before, change)
	if err != nil {
		return settings, &Refusal{Cause: CauseMalformed, Detail: "The patch cannot be applied: " + err.Error() + "."}
	}
	var result T
	if err := json.Unmarshal(after, &result, json.RejectUnknownMembers(true)); err != nil {
		return settings, &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("The patch does not lead to settings %s: %s.", name, err)}
	}
	return result, nil
}
