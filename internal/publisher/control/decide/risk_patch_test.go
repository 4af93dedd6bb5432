package decide

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
)

// A patch changes what it names, and leads to settings that could have been set as a whole, or to none.
func TestRiskSettingsArePatched(t *testing.T) {
	t.Parallel()
	f := func(patch string, change func(*risk.Settings)) {
		t.Helper()
		want := risk.DefaultSettings("staging")
		change(&want)
		got, err := patchedSettings(risk.DefaultSettings("staging"), []byte(patch), "of risk", "{}")
		if err != nil {
			t.Fatalf("%s: %v", patch, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", patch, diff)
		}
	}
	f(`{}`, func(*risk.Settings) {})
	f(`{"protected":true}`, func(r *risk.Settings) { r.Protected = true })
	f(`{"share":null,"tags":["legal"]}`, func(r *risk.Settings) { r.Share, r.Tags = 0, []string{"legal"} })
	f(`{"dependants":null}`, func(r *risk.Settings) { r.Dependants = 0 })

	refuse := func(patch, part string) {
		t.Helper()
		settings, err := patchedSettings(risk.DefaultSettings("staging"), []byte(patch), "of risk", "{}")
		if err == nil {
			_, _, err = SetRisk{Settings: settings}.decideRequest(requests.NewGovernance("staging"), DecisionInput{})
		}
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok || refusal.Cause != CauseMalformed || !strings.Contains(refusal.Detail, part) {
			t.Errorf("%s: %v, want a refusal that says %q", patch, err, part)
		}
	}
	refuse(`[]`, "JSON object")
	refuse(`{`, "")
	refuse(`{"protectd":true}`, "protectd")
	refuse(`{"share":"much"}`, "share")
	refuse(`{"share":2}`, "from 0 to 1")
	refuse(`{"tags":["`+strings.Repeat(`a","`, 101)+`a"]}`, "at most 100")
}
