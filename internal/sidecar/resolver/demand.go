package resolver

import (
	"time"

	"github.com/flagside/flagside/eval"
)

// defaultRefreshAfter is the age from which knowledge is refreshed for a flag with background refresh that names none. Heartbeats renew it once
// a second, so it is only reached when they do not come.
const defaultRefreshAfter = 3 * time.Second

// demand is what flags demand of the knowledge that they are answered from. Its zero value is nothing.
type demand struct {
	barrier      bool          // a barrier before the answer
	refreshAfter time.Duration // a barrier behind the answer, if knowledge is older; 0: none
	maxStaleness time.Duration // older knowledge is stale; 0: never
}

// nothing reports whether an answer can be given without a look at the age of knowledge.
func (d demand) nothing() bool { return d == demand{} }

// mayBeStale reports whether an answer may be stale, unless the request demands more.
func (d demand) mayBeStale() bool { return d.barrier || d.maxStaleness > 0 }

// demandOf returns what one flag demands; nil demands nothing.
func demandOf(f *eval.Flag) demand {
	if f == nil {
		return demand{}
	}
	d := demand{maxStaleness: f.MaxStaleness()}
	switch f.Freshness() {
	case eval.FreshnessAlwaysFresh:
		d.barrier = true
	case eval.FreshnessBackgroundRefresh:
		d.refreshAfter = f.RefreshAfter()
		if d.refreshAfter == 0 {
			d.refreshAfter = defaultRefreshAfter
		}
	default:
	}
	return d
}

// and returns what d and other demand together.
func (d demand) and(other demand) demand {
	return demand{
		barrier:      d.barrier || other.barrier,
		refreshAfter: shorter(d.refreshAfter, other.refreshAfter),
		maxStaleness: shorter(d.maxStaleness, other.maxStaleness),
	}
}

// shorter returns the smaller duration. An unset one gives way.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
