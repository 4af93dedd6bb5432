package charttest

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// Metrics and labels of alerts and of the dashboard are those that the programs register: docs/metrics.md is generated from them.
func TestMetricsExist(t *testing.T) {
	known := documentedMetrics(t)
	for _, rule := range alerts(t) {
		verifyExpression(t, rule.Alert, rule.Expr, known)
	}
	for title, expression := range panels(t) {
		verifyExpression(t, "panel "+title, expression, known)
	}
}

var (
	metricRow   = regexp.MustCompile("(?m)^\\| `(flagside_[a-z_]+)` \\| (\\w+) \\| ([^|]*) \\|")
	metricLabel = regexp.MustCompile("`([^`]+)`")
)

// documentedMetrics returns the labels of each metric.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string][]string)
	for _, row := range metricRow.FindAllStringSubmatch(string(text), -1) {
		name, kind, labels := row[1], row[2], known[row[1]]
		for _, label := range metricLabel.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, label[1])
		}
		known[name] = labels
		if kind == "histogram" {
			known[name+"_bucket"] = append(slices.Clone(labels), "le")
			known[name+"_count"], known[name+"_sum"] = labels, labels
		}
	}
	if len(known) < 30 {
		t.Fatalf("docs/metrics.md has %d metrics", len(known))
	}
	return known
}

// scraped are labels that Prometheus adds itself.
var scraped = []string{"instance", "job", "namespace", "pod", "__name__"}

// verifyExpression looks for metrics and labels that no program has.
func verifyExpression(t *testing.T, at, expression string, known map[string][]string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	labels := slices.Clone(scraped)
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			labels = append(labels, verifySelector(t, at, selector, known)...)
		}
		return nil
	})
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if aggregate, ok := node.(*parser.AggregateExpr); ok && !aggregate.Without {
			for _, label := range aggregate.Grouping {
				if !slices.Contains(labels, label) {
					t.Errorf("%s: grouped by %s, which no metric of it has", at, label)
				}
			}
		}
		return nil
	})
}

// verifySelector returns the labels of a metric.
func verifySelector(t *testing.T, at string, selector *parser.VectorSelector, known map[string][]string) []string {
	t.Helper()
	if strings.HasPrefix(selector.Name, "go_") || strings.HasPrefix(selector.Name, "process_") {
		return nil
	}
	labels, exists := known[selector.Name]
	if !exists {
		t.Errorf("%s: no program has the metric %s", at, selector.Name)
	}
	for _, m := range selector.LabelMatchers {
		if !slices.Contains(labels, m.Name) && !slices.Contains(scraped, m.Name) {
			t.Errorf("%s: %s has no label %s", at, selector.Name, m.Name)
		}
	}
	return labels
}

// panels returns the expressions of the dashboard by the titles of their panels, with Grafana's variables filled in.
func panels(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(Chart + "/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("$__rate_interval", "1m", "$namespace", ".*")
	all, ids := make(map[string]string), make(map[int]bool)
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("the panel %s shows nothing", p.Title)
		}
		for i, target := range p.Targets {
			all[p.Title+" "+string(rune('A'+i))] = filled.Replace(target.Expr)
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}
