package resolver

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
)

// otherFlags is the label of the flags that have no series of their own.
const otherFlags = "other"

// perFlag counts the evaluations of each flag that was asked for by its key, and shows a bounded number of them. A flag that was given a
// series keeps it as long as it exists, so that the counters never go back.
type perFlag struct {
	views Views
	most  int // series beside that of the other flags
	desc  *prometheus.Desc

	mu     sync.RWMutex
	counts map[string]*flagCount // guarded by mu
	gone   uint64                // evaluations of flags that do not exist any more; guarded by mu
}

// flagCount is how often one flag was evaluated.
type flagCount struct {
	n      atomic.Uint64
	shown  bool
	before uint64 // evaluations before it was shown, which stay with the others
}

func newPerFlag(views Views, most int) *perFlag {
	return &perFlag{
		views: views, most: most, counts: make(map[string]*flagCount),
		desc: prometheus.NewDesc("flagside_flag_evaluations_total",
			"Evaluations of a flag that was requested by its key; "+otherFlags+" is the sum of the flags without a series of their own. Only with --metrics-per-flag.",
			[]string{"feature_flag_key"}, nil),
	}
}

// evaluated counts an evaluation.
func (p *perFlag) evaluated(flag *eval.Flag) {
	p.mu.RLock()
	c := p.counts[flag.Key()]
	if c != nil {
		c.n.Add(1)
	}
	p.mu.RUnlock()
	if c != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := flag.Key()
	if p.counts[key] == nil {
		p.counts[strings.Clone(key)] = new(flagCount)
	}
	p.counts[key].n.Add(1)
}

// Describe implements prometheus.Collector.
func (p *perFlag) Describe(out chan<- *prometheus.Desc) { out <- p.desc }

// Collect implements prometheus.Collector.
func (p *perFlag) Collect(out chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	p.promote()
	show := func(key string, n uint64) {
		out <- prometheus.MustNewConstMetric(p.desc, prometheus.CounterValue, float64(n), key)
	}
	others := p.gone
	for key, c := range p.counts {
		if !c.shown {
			others += c.n.Load()
			continue
		}
		others += c.before
		show(key, c.n.Load()-c.before)
	}
	show(otherFlags, others)
}

// forget gives the evaluations of flags that do not exist any more to the others.
func (p *perFlag) forget() {
	view := p.views.View()
	if view == nil {
		return
	}
	for key, c := range p.counts {
		if view.Rules().Flag(key) == nil {
			p.gone += c.n.Load()
			delete(p.counts, key)
		}
	}
}

// promote gives the series that are free to the flags with the most evaluations.
func (p *perFlag) promote() {
	free := p.most
	var candidates []string
	for key, c := range p.counts {
		switch {
		case c.shown:
			free--
		case key != otherFlags:
			candidates = append(candidates, key)
		}
	}
	slices.SortFunc(candidates, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.counts[b].n.Load(), p.counts[a].n.Load()), cmp.Compare(a, b))
	})
	for _, key := range candidates[:min(max(free, 0), len(candidates))] {
		c := p.counts[key]
		c.shown, c.before = true, c.n.Load()
	}
}
