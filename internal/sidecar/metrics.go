package sidecar

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
)

// collector reads the state of a sidecar when metrics are scraped.
type collector struct {
	sidecar *Sidecar

	serving, breaker, requests, failures, flagErrors *prometheus.Desc

	ready, revision, flags, age, estimated, connected, head, reconnects, gaps, fragments *prometheus.Desc
}

func newCollector(s *Sidecar) *collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("flagside_"+name, help, labels, nil)
	}
	return &collector{
		sidecar:    s,
		ready:      describe("ready", "1 while /readyz answers 200, else 0."),
		revision:   describe("snapshot_revision", "Revision of the flags that are served. 0 if they never were in a change log."),
		flags:      describe("snapshot_flags", "Number of flags that are served."),
		serving:    describe("serving_state", "1 for the current serving state, 0 for the others: live, memory, disk, bootstrap or empty.", "state"),
		breaker:    describe("breaker_state", "1 for the current state of the circuit breaker, 0 for the others: closed, half-open or open.", "dependency", "state"),
		requests:   describe("log_requests_total", "Requests to the change log.", "dependency"),
		failures:   describe("log_request_failures_total", "Requests to the change log that failed.", "dependency"),
		flagErrors: describe("flag_errors_total", "Evaluations of a flag that failed. The first 100 flags that fail have a series of their own, other is the sum of the rest.", "feature_flag_key", "code"),
		age:        describe("snapshot_age_seconds", "Age of the flags: seconds since the sidecar last knew that it had every change. Absent if it never did."),
		estimated:  describe("snapshot_age_estimated", "1 while the age is an estimate: the flags were loaded from disk and the change log has not confirmed them yet."),
		connected:  describe("nats_connected", "1 while the sidecar is connected to NATS, else 0."),
		head:       describe("log_head_revision", "Highest revision known to exist in the change log."),
		reconnects: describe("nats_reconnects_total", "Times that the connection to NATS was lost and made again."),
		gaps:       describe("log_gaps_total", "Times that changes were missed and had to be fetched from the change log."),
		fragments:  describe("log_incomplete_transactions_total", "Transactions that were dropped because part of them is missing from the change log."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.serving, c.breaker, c.requests, c.failures, c.flagErrors, c.ready, c.revision, c.flags, c.age, c.estimated, c.connected, c.head, c.reconnects, c.gaps, c.fragments,
	} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	f := c.sidecar.examine()
	gauge(c.ready, number(c.sidecar.Ready()))
	for _, state := range servingStates() {
		gauge(c.serving, number(state == f.serving()), string(state))
	}
	for _, b := range f.breakers {
		for _, state := range []string{"closed", "half-open", "open"} {
			gauge(c.breaker, number(b.State == state), b.Name, state)
		}
		metrics <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(b.Requests), b.Name)
		metrics <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(b.Failed), b.Name)
	}
	c.collectFlagErrors(metrics, f.erring)
	revision, flags := 0.0, 0.0
	if view := c.sidecar.store.View(); view != nil {
		revision, flags = float64(view.Position().Revision), float64(view.Rules().Len())
	}
	gauge(c.revision, revision)
	gauge(c.flags, flags)
	if f.age.known {
		gauge(c.age, f.age.value.Seconds())
	}
	gauge(c.estimated, number(f.age.estimated))
	gauge(c.connected, number(f.log.Connected))
	gauge(c.head, float64(f.log.Head))
	metrics <- prometheus.MustNewConstMetric(c.reconnects, prometheus.CounterValue, float64(f.reconnects))
	metrics <- prometheus.MustNewConstMetric(c.gaps, prometheus.CounterValue, float64(f.log.Gaps))
	metrics <- prometheus.MustNewConstMetric(c.fragments, prometheus.CounterValue, float64(f.log.Fragments))
}

// collectFlagErrors tells which flags err. The first that did have a label; the others are one sum.
func (c *collector) collectFlagErrors(metrics chan<- prometheus.Metric, all []erring) {
	send := func(one erring) {
		for code, n := range map[eval.ErrorCode]uint64{eval.ErrorParse: one.parse, eval.ErrorGeneral: one.general} {
			metrics <- prometheus.MustNewConstMetric(c.flagErrors, prometheus.CounterValue, float64(n), one.key, strings.ToLower(string(code)))
		}
	}
	others := erring{key: "other"}
	for _, one := range all {
		if one.labelled {
			send(one)
			continue
		}
		others.parse, others.general = others.parse+one.parse, others.general+one.general
	}
	if others.parse+others.general > 0 {
		send(others)
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
