package charttest

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func alerts(t *testing.T) []Alert {
	t.Helper()
	all, err := Alerts()
	if err != nil || len(all) < 10 {
		t.Fatalf("%d alerts, %v", len(all), err)
	}
	return all
}

// Each alert is raised by a fault, with the words that people need, and not before.
func TestAlerts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("there is no promtool: Debian's prometheus has it")
	}
	rules, played := alerts(t), faults()
	for _, rule := range rules {
		t.Run(rule.Alert, func(t *testing.T) {
			f, ok := played[rule.Alert]
			if !ok {
				t.Fatal("no fault raises it")
			}
			play(t, rule, f)
		})
	}
	if len(played) != len(rules) {
		t.Errorf("%d faults for %d alerts", len(played), len(rules))
	}
}

// play lets promtool raise the alert.
func play(t *testing.T, rule Alert, f fault) {
	t.Helper()
	var series []map[string]string
	for _, name := range slices.Sorted(maps.Keys(f.series)) {
		series = append(series, map[string]string{"series": name, "values": f.series[name]})
	}
	labels := maps.Clone(f.labels)
	labels["severity"] = rule.Labels["severity"]
	rules, err := filepath.Abs(AlertsFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(map[string]any{
		"rule_files": []string{rules}, "evaluation_interval": "1m",
		"tests": []any{map[string]any{
			"interval": "1m", "input_series": series,
			"alert_rule_test": []any{
				map[string]any{"eval_time": "0m", "alertname": rule.Alert, "exp_alerts": []any{}}, // a fault has to last, or has not begun
				map[string]any{"eval_time": f.at, "alertname": rule.Alert, "exp_alerts": []any{
					map[string]any{"exp_labels": labels, "exp_annotations": told(rule, labels, f.value)},
				}},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.yaml")
	write(t, file, string(text))
	if output, err := exec.Command("promtool", "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", f.what, err, output)
	}
}

var valueInText = regexp.MustCompile(`\{\{ \$value[^}]*\}\}`)

// told returns the annotations as people read them.
func told(rule Alert, labels map[string]string, value string) map[string]string {
	annotations := make(map[string]string)
	for name, text := range rule.Annotations {
		for label, is := range labels {
			text = strings.ReplaceAll(text, "{{ $labels."+label+" }}", is)
		}
		annotations[name] = valueInText.ReplaceAllString(text, value)
	}
	return annotations
}

// Each alert has a heading in the runbook, and points to it.
func TestAlertsHaveRunbooks(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range alerts(t) {
		if !strings.Contains(string(text), "\n#### "+rule.Alert+"\n") || !strings.HasSuffix(rule.Annotations["runbook_url"], "#"+strings.ToLower(rule.Alert)) {
			t.Errorf("%s has no heading in docs/operations.md, or does not point to it", rule.Alert)
		}
	}
}
