// Package metricsdoc compares docs/metrics.md with the metrics that a program registers, and holds these against Prometheus' rules for
// names. It is for tests.
package metricsdoc

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/flagside/flagside/internal/config/documented"
)

// prefix is that of all metrics of our own. Those of the Go runtime and of the process are documented elsewhere.
const prefix = "flagside_"

// metric is what the page says about one.
type metric struct {
	name, help string
	kind       string // as in the text format
	labels     []string
}

// Check fails the test unless the file at path has a chapter with the heading and the metrics of the registry. FLAGSIDE_UPDATE=1 writes it.
func Check(t *testing.T, path, heading string, registry *prometheus.Registry) {
	t.Helper()
	all := registered(t, registry)
	problems, err := promlint.New(strings.NewReader(exposition(all))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	var page strings.Builder
	fmt.Fprintf(&page, "## %s\n\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n", heading)
	for _, m := range all {
		if !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: the help is no sentence: %q", m.name, m.help)
		}
		labels := strings.Join(m.labels, "`, `")
		if labels != "" {
			labels = "`" + labels + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, m.help)
	}
	page.WriteString("\n")
	documented.CheckChapters(t, path, page.String())
}

// described matches how a prometheus.Desc writes itself, the only way to see what is in it.
var described = regexp.MustCompile(`^Desc{fqName: "(\w+)", help: ("(?:[^"\\]|\\.)*"), (?:unit: "[^"]*", )?constLabels: {(.*)}, variableLabels: {(.*)}}$`)

// registered returns the metrics of our own by name.
func registered(t *testing.T, registry *prometheus.Registry) []metric {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	var all []metric
	for desc := range descs {
		parts := described.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("%s is not understood", desc)
		}
		if !strings.HasPrefix(parts[1], prefix) {
			continue
		}
		help, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatalf("%s: %v", desc, err)
		}
		m := metric{name: parts[1], help: help}
		for _, label := range regexp.MustCompile(`(\w+)=`).FindAllStringSubmatch(parts[3], -1) {
			m.labels = append(m.labels, label[1])
		}
		m.labels = append(m.labels, strings.FieldsFunc(parts[4], func(r rune) bool { return r == ',' })...)
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	setKinds(t, registry, all)
	return all
}

// setKinds takes the types from the series that there are. Counters of which there are none yet have the name of a counter.
func setKinds(t *testing.T, registry *prometheus.Registry, all []metric) {
	t.Helper()
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].kind = "gauge"
		if strings.HasSuffix(all[i].name, "_total") {
			all[i].kind = "counter"
		}
		for _, family := range gathered {
			if family.GetName() == all[i].name {
				all[i].kind = strings.ToLower(family.GetType().String())
			}
		}
	}
}

// exposition returns the metrics in the text format, as the linter reads them, each with one series.
func exposition(all []metric) string {
	var text strings.Builder
	for _, m := range all {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", m.name, m.help, m.kind)
		if m.kind == "histogram" {
			fmt.Fprintf(&text, "%s_bucket{le=\"+Inf\"} 1\n%[1]s_sum 1\n%[1]s_count 1\n", m.name)
			continue
		}
		var labels []string
		for _, label := range m.labels {
			labels = append(labels, label+`="x"`)
		}
		fmt.Fprintf(&text, "%s{%s} 1\n", m.name, strings.Join(labels, ","))
	}
	return text.String()
}
