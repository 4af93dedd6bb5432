package contracts_test

import (
	"net/http"
	"os/exec"
	"testing"
)

// Prometheus' own tool finds names without a unit, missing help and types, and whatever it cannot read.
func TestMetricsAreAsPrometheusWants(t *testing.T) {
	promtool := needs(t, "promtool", "apt-get install prometheus")
	s := start(t, nil, nil)
	for name, address := range map[string]string{"publisher": s.admin + "/metrics", "sidecar": s.metrics} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Fatalf("%s answers %s", address, response.Status)
			}
			check := exec.CommandContext(t.Context(), promtool, "check", "metrics") // #nosec G204 -- the path is that of the installed program
			check.Stdin = response.Body
			if output, err := check.CombinedOutput(); err != nil || len(output) > 0 {
				t.Errorf("promtool check metrics: %v\n%s", err, output)
			}
		})
	}
}
