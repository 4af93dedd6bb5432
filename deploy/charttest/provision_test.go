package charttest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// The program that the Job runs takes the plan that the chart makes, of whatever values.
func TestProvisionTakesThePlan(t *testing.T) {
	dir, plans := programs(t), 0
	files, err := Examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		values, err := Values(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Render(values)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range Of[*core.ConfigMap](r) {
			plan, ok := m.Data["provision.json"]
			if !ok {
				continue
			}
			plans++
			at := filepath.Join(t.TempDir(), "provision.json")
			write(t, at, plan)
			command := exec.Command(filepath.Join(dir, "publisher"), "provision", "--file", at, "--check")
			command.Env = []string{}
			if output, err := command.CombinedOutput(); err != nil && !strings.Contains(string(output), "KUBERNETES_SERVICE_HOST") {
				t.Errorf("%s: %v: %s", filepath.Base(file), err, output)
			}
		}
	}
	if plans < 6 {
		t.Errorf("%d plans", plans)
	}
}
