package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A publisher that runs is asked as it is, and a sidecar that does not run is no error.
func TestDoctorAsks(t *testing.T) {
	t.Parallel()
	code, output := run(t.Context(), serve(t), "viewer", "", "doctor", "--sidecar", "http://127.0.0.1:1", "-o", "json")
	type visit struct {
		Unreachable  string
		ClockSeconds *float64
		Identity     struct{ ID string }
		Environments struct{ Items []any }
	}
	var c struct {
		Publisher visit
		Sidecar   *visit
	}
	if err := json.Unmarshal([]byte(output), &c); err != nil || code != 0 {
		t.Fatalf("exit %d: %s: %v", code, output, err)
	}
	if p := c.Publisher; p.Unreachable != "" || p.Identity.ID != "viewer" || p.Environments.Items == nil || p.ClockSeconds == nil {
		t.Errorf("the publisher: %+v", p)
	}
	if c.Sidecar == nil || c.Sidecar.Unreachable == "" {
		t.Errorf("the sidecar: %+v", c.Sidecar)
	}
	code, output = run(t.Context(), "http://127.0.0.1:1", "viewer", "", "doctor", "--sidecar", "none")
	if code != 0 || !strings.Contains(output, "the publisher at http://127.0.0.1:1 cannot be reached") {
		t.Errorf("exit %d: %s", code, output)
	}
}
