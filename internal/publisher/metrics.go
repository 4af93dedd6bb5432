package publisher

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/writer"
)

// metrics are those of all environments. What can be asked for is read when it is scraped, so that nothing stays behind of an
// environment that is archived.
type metrics struct {
	environments *environments
	appends      *prometheus.CounterVec
	requests     *prometheus.CounterVec
	broken       *prometheus.CounterVec
	transitions  *prometheus.CounterVec
	actions      *prometheus.CounterVec
	previews     *prometheus.CounterVec

	count    *prometheus.Desc
	revision *prometheus.Desc
	head     *prometheus.Desc
	flags    *prometheus.Desc
	age      *prometheus.Desc
	writable *prometheus.Desc
	waiting  *prometheus.Desc
	stages   *prometheus.Desc
	expired  *prometheus.Desc

	sidecars, reports, lost *prometheus.Desc
	propagation             *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer, e *environments) (*metrics, error) {
	label := []string{"environment"}
	m := &metrics{
		environments: e,
		appends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_appends_total",
			Help: "Transactions appended to the change log, by outcome: committed, lost to another writer, or open when the time was up.",
		}, []string{"environment", "outcome"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_api_requests_total",
			Help: "API requests by operation and HTTP status. 401: not authenticated. 403: denied by policy, or approvals are missing.",
		}, []string{"operation", "status"}),
		broken: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_break_glass_total",
			Help: "Changes and administrative actions that used break glass: they went through without the required approvals. The environment is empty for actions that concern none.",
		}, []string{"environment"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_lifecycle_transitions_total",
			Help: "Flags that came to a stage of their lives, as told in the feed by this publisher. active: back again. archived: of flags that were not active.",
		}, []string{"environment", "stage"}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_lifecycle_actions_total",
			Help: "What this publisher did about expired flags because the lifecycle policy wants it, by action (freeze, propose-removal; empty where it is not wanted any more) " +
				"and outcome: done, proposed (by a change request), rebased, withdrawn or failed.",
		}, []string{"environment", "action", "outcome"}),
		previews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_impact_previews_total",
			Help: "Questions to sidecars what a change would do, by outcome: answered by at least one, or unanswered.",
		}, []string{"environment", "outcome"}),
		count:    prometheus.NewDesc("flagside_environments", "Number of environments that the publisher follows.", nil, nil),
		revision: prometheus.NewDesc("flagside_environment_revision", "Revision of the environment that this publisher has applied.", label, nil),
		head:     prometheus.NewDesc("flagside_environment_head_revision", "Highest revision of the environment known to exist in its change log.", label, nil),
		flags:    prometheus.NewDesc("flagside_environment_flags", "Number of flags in the environment.", label, nil),
		age: prometheus.NewDesc("flagside_environment_age_seconds",
			"Seconds since this publisher last knew that it had every change. Absent if it never did.", label, nil),
		writable: prometheus.NewDesc("flagside_environment_writable", "1 if the environment can be changed, 0 if changes are refused.", label, nil),
		waiting: prometheus.NewDesc("flagside_change_requests",
			"Open change requests by status. needs_rebase: the documents changed after the request was made.", []string{"environment", "status"}, nil),
		sidecars: prometheus.NewDesc("flagside_fleet_sidecars",
			"Sidecars by what they report: current serve the newest revision, behind an older one, diverged other documents than there are at their revision, "+
				"and silent ones were not heard of for 36 seconds.", []string{"environment", "standing"}, nil),
		reports: prometheus.NewDesc("flagside_fleet_reports_total",
			"Status reports of sidecars by kind: state, ack, bye, or refused for messages that are none.", []string{"environment", "kind"}, nil),
		lost: prometheus.NewDesc("flagside_fleet_dropped_total",
			"Sidecars that the table of the fleet had no room for: displaced ones were silent, refused ones came when it was full.", []string{"environment", "why"}, nil),
		propagation: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flagside_fleet_propagation_seconds",
			Help:    "Seconds from the commit of a change until the acknowledgement of a sidecar that serves it, on the clock of this publisher.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, label),
		stages:  prometheus.NewDesc("flagside_flags", "Number of flags by stage of their lives: active, stale, expiring or expired.", []string{"environment", "stage"}, nil),
		expired: prometheus.NewDesc("flagside_flags_oldest_expiry_seconds", "Seconds since the flag expired that did first and still exists; 0 if none has expired.", label, nil),
	}
	for _, c := range []prometheus.Collector{m, m.appends, m.requests, m.broken, m.transitions, m.actions, m.previews, m.propagation} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// appended counts an append to the log of an environment.
func (m *metrics) appended(environment string, s writer.OutcomeState) {
	m.appends.WithLabelValues(environment, s.String()).Inc()
}

// previewed counts a question to sidecars.
func (m *metrics) previewed(environment string, answered bool) {
	outcome := "unanswered"
	if answered {
		outcome = "answered"
	}
	m.previews.WithLabelValues(environment, outcome).Inc()
}

// lived counts flags that came to a stage.
func (m *metrics) lived(environment string, stage lifecycle.Stage, flags int) {
	m.transitions.WithLabelValues(environment, string(stage)).Add(float64(flags))
}

// acted counts what was done about an expired flag.
func (m *metrics) acted(environment string, a lifecycle.Action, outcome string) {
	m.actions.WithLabelValues(environment, string(a), outcome).Inc()
}

// brokeGlass counts what was done without approvals.
func (m *metrics) brokeGlass(environment string) { m.broken.WithLabelValues(environment).Inc() }

// observe counts a request to the API.
func (m *metrics) observe(operation string, status int) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.count, m.revision, m.head, m.flags, m.age, m.writable, m.waiting, m.stages, m.expired, m.sidecars, m.reports, m.lost} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	all := m.environments.all()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(m.count, float64(len(all)))
	for _, e := range all {
		status := e.follower.Status()
		gauge(m.head, float64(status.Head), e.name)
		gauge(m.revision, float64(status.Applied.Revision), e.name)
		if view := e.store.View(); view != nil {
			gauge(m.flags, float64(view.Rules().Len()), e.name)
		}
		if status.AgeKnown {
			gauge(m.age, status.Age.Seconds(), e.name)
		}
		writable := 0.0
		if e.unwritable() == nil {
			writable = 1
		}
		gauge(m.writable, writable, e.name)
		for status, count := range e.control.Waiting() {
			gauge(m.waiting, float64(count), e.name, string(status))
		}
		m.collectFleet(out, e)
		m.collectLives(e, gauge)
	}
}

// collectFleet tells what sidecars report. Labels have no word of theirs.
func (m *metrics) collectFleet(out chan<- prometheus.Metric, e *environment) {
	standings, counts := e.fleet.Standings(time.Now()), e.fleet.Counts()
	for _, standing := range fleet.Standings() {
		out <- prometheus.MustNewConstMetric(m.sidecars, prometheus.GaugeValue, float64(standings[standing]), e.name, string(standing))
	}
	counter := func(d *prometheus.Desc, n uint64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), e.name, label)
	}
	for _, kind := range []status.Kind{status.KindState, status.KindAck, status.KindBye} {
		counter(m.reports, counts.Reports[kind], string(kind))
	}
	counter(m.reports, counts.Refused, "refused")
	counter(m.lost, counts.Displaced, "displaced")
	counter(m.lost, counts.TurnedOff, "refused")
}

// propagated measures an acknowledgement.
func (m *metrics) propagated(environment string) func(time.Duration) {
	observer := m.propagation.WithLabelValues(environment)
	return func(d time.Duration) { observer.Observe(d.Seconds()) }
}

// collectLives collects where the flags of an environment are in their lives, once that is known.
func (m *metrics) collectLives(e *environment, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	lives := e.control.Lives()
	if lives.Counts == nil {
		return
	}
	for stage, count := range lives.Counts {
		gauge(m.stages, float64(count), e.name, string(stage))
	}
	gauge(m.expired, lives.OldestExpiry.Seconds(), e.name)
}
