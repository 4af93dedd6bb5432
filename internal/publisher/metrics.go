package publisher

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/sync/writer"
)

// metrics are those of all environments. What can be asked for is read when it is scraped, so that nothing stays behind of an
// environment that is archived.
type metrics struct {
	environments *environments
	appends      *prometheus.CounterVec
	requests     *prometheus.CounterVec
	broken       *prometheus.CounterVec

	count    *prometheus.Desc
	revision *prometheus.Desc
	head     *prometheus.Desc
	flags    *prometheus.Desc
	age      *prometheus.Desc
	writable *prometheus.Desc
	waiting  *prometheus.Desc
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
		count:    prometheus.NewDesc("flagside_environments", "Number of environments that the publisher follows.", nil, nil),
		revision: prometheus.NewDesc("flagside_environment_revision", "Revision of the environment that this publisher has applied.", label, nil),
		head:     prometheus.NewDesc("flagside_environment_head_revision", "Highest revision of the environment known to exist in its change log.", label, nil),
		flags:    prometheus.NewDesc("flagside_environment_flags", "Number of flags in the environment.", label, nil),
		age: prometheus.NewDesc("flagside_environment_age_seconds",
			"Seconds since this publisher last knew that it had every change. Absent if it never did.", label, nil),
		writable: prometheus.NewDesc("flagside_environment_writable", "1 if the environment can be changed, 0 if changes are refused.", label, nil),
		waiting: prometheus.NewDesc("flagside_change_requests",
			"Open change requests by status. needs_rebase: the documents changed after the request was made.", []string{"environment", "status"}, nil),
	}
	for _, c := range []prometheus.Collector{m, m.appends, m.requests, m.broken} {
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

// brokeGlass counts what was done without approvals.
func (m *metrics) brokeGlass(environment string) { m.broken.WithLabelValues(environment).Inc() }

// observe counts a request to the API.
func (m *metrics) observe(operation string, status int) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.count, m.revision, m.head, m.flags, m.age, m.writable, m.waiting} {
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
	}
}
