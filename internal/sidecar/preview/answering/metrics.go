package answering

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/sidecar/preview"
	wire "github.com/flagside/flagside/sync/preview"
)

// outcome is what became of a question.
type outcome string

const (
	outcomeAnswered  outcome = "answered"
	outcomeUnsigned  outcome = "unsigned"  // by no publisher of this installation, or not for this environment
	outcomeMalformed outcome = "malformed" // also of another format, and too large
	outcomeExpired   outcome = "expired"   // asked a minute or more from the time of the clock here
	outcomeReplayed  outcome = "replayed"
	outcomeElsewhere outcome = "elsewhere" // asked of other sidecars
	outcomeFlood     outcome = "flood"     // not even verified, because so many came
	outcomeUnsent    outcome = "unsent"
)

func outcomes() []outcome {
	all := []outcome{outcomeAnswered, outcomeUnsigned, outcomeMalformed, outcomeExpired, outcomeReplayed, outcomeElsewhere, outcomeFlood, outcomeUnsent}
	for _, r := range []wire.Refusal{wire.RefusedBusy, wire.RefusedBehind, wire.RefusedEpoch, wire.RefusedNotReady, wire.RefusedInvalid} {
		all = append(all, outcome(r))
	}
	return all
}

// metrics are those of questions. The counters exist from the start.
type metrics struct {
	questions   map[outcome]prometheus.Counter
	evaluations prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, r *preview.Reservoir) (metrics, error) {
	questions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_preview_questions_total",
		Help: "Questions of publishers what a change would do, by what became of them: answered, refused (busy, behind, epoch, not-ready, invalid, expired), " +
			"or dropped (unsigned, malformed, replayed, elsewhere, flood, unsent).",
	}, []string{"outcome"})
	m := metrics{
		questions: make(map[outcome]prometheus.Counter),
		evaluations: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flagside_preview_evaluations_total", Help: "Evaluations that were made to answer questions what a change would do. No application waited for them.",
		}),
	}
	for _, o := range outcomes() {
		m.questions[o] = questions.WithLabelValues(string(o))
	}
	samples := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flagside_preview_samples", Help: "Evaluations that are remembered with their context, in memory only, to tell what a change would do.",
	}, func() float64 { n, _ := r.Size(); return float64(n) })
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flagside_preview_memory_bytes", Help: "Memory that they take, of 4 MiB at most.",
	}, func() float64 { _, n := r.Size(); return float64(n) })
	return m, errors.Join(registry.Register(questions), registry.Register(m.evaluations), registry.Register(samples), registry.Register(bytes))
}

func (m *metrics) ended(o outcome) { m.questions[o].Inc() }
