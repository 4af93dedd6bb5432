package resolver

import (
	"time"

	"github.com/flagside/flagside/eval"
)

// defaultRefreshAfter is the age from which knowledge is refreshed for a flag with background refresh that names none. Beats renew it once
// a second, so it is only reached when they do not come.
const defaultRefreshAfter = 3 * time.Second

// need is what flags demand of the knowledge that they are answered from. Its zero value is nothing.
type need struct {
	barrier      bool          // a barrier before the answer
	refreshAfter time.Duration // a barrier behind the answer, if knowledge is older; 0: none
	maxStaleness time.Duration // older knowledge is stale; 0: never
}

// nothing reports whether an answer can be given without a look at the age of knowledge.
func (n need) nothing() bool { return n == need{} }

// needOf returns what one flag demands; nil demands nothing.
func needOf(f *eval.Flag) need {
	if f == nil {
		return need{}
	}
	n := need{maxStaleness: f.MaxStaleness()}
	switch f.Freshness() {
	case eval.FreshnessAlwaysFresh:
		n.barrier = true
	case eval.FreshnessBackgroundRefresh:
		n.refreshAfter = f.RefreshAfter()
		if n.refreshAfter == 0 {
			n.refreshAfter = defaultRefreshAfter
		}
	default:
	}
	return n
}

// and returns what n and other demand together.
func (n need) and(other need) need {
	return need{
		barrier:      n.barrier || other.barrier,
		refreshAfter: shorter(n.refreshAfter, other.refreshAfter),
		maxStaleness: shorter(n.maxStaleness, other.maxStaleness),
	}
}

// shorter returns the smaller duration. An unset one gives way.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// overview is what is known of the ruleset with the generation as a whole.
type overview struct {
	generation uint64
	need       need // of all flags together
	whole      bool // the newest version of every document is in use
}

// overviewOf returns the overview of the ruleset. It looks at every flag once per ruleset.
func (r *Resolver) overviewOf(rules *eval.Ruleset) *overview {
	if o := r.overview.Load(); o != nil && o.generation == rules.Generation() {
		return o
	}
	o := &overview{
		generation: rules.Generation(),
		need:       needOfFlags(rules, &selector{}),
		whole:      rules.Problems().Err() == nil,
	}
	r.overview.Store(o)
	return o
}

// needOfFlags returns what the selected flags demand together.
func needOfFlags(rules *eval.Ruleset, s *selector) need {
	var all need
	for _, flag := range rules.Flags() {
		if s.matches(flag) {
			all = all.and(needOf(flag))
		}
	}
	return all
}
