package health

import "github.com/prometheus/client_golang/prometheus"

// collector shows which conditions of a tracker hold.
type collector struct {
	tracker *Tracker
	desc    *prometheus.Desc
}

// NewCollector returns the metric flagside_condition, which has a series for each condition of the catalogue. It is read when it is scraped.
func NewCollector(t *Tracker) prometheus.Collector {
	return &collector{tracker: t, desc: prometheus.NewDesc("flagside_condition",
		"1 while the condition holds, else 0. Conditions are those of docs/operations.md.", []string{"condition", "severity"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	active := make(map[Code]bool)
	for _, condition := range c.tracker.Active() {
		active[condition.Code] = true
	}
	for _, condition := range Catalogue() {
		value := 0.0
		if active[condition.Code] {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, value, string(condition.Code), string(condition.Severity))
	}
}
