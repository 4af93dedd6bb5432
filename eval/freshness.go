package eval

import (
	"cmp"
	"time"
)

// Freshness says which knowledge a flag is answered from.
type Freshness string

// The read strategies; FreshnessCacheFirst is the default.
const (
	FreshnessCacheFirst        Freshness = "cache_first"
	FreshnessBackgroundRefresh Freshness = "background_refresh"
	FreshnessAlwaysFresh       Freshness = "always_fresh"
)

// OnUnreachable says what a flag answers when its freshness cannot be had.
type OnUnreachable string

// The answers of a flag whose freshness cannot be had; OnUnreachableServeStale is the default.
const (
	OnUnreachableServeStale     OnUnreachable = "serve_stale"
	OnUnreachableDefaultVariant OnUnreachable = "default_variant"
	OnUnreachableError          OnUnreachable = "error"
)

// demands is what a flag demands of the knowledge that it is answered from.
type demands struct {
	freshness     Freshness
	refreshAfter  time.Duration // 0: unset
	maxStaleness  time.Duration // 0: unset
	onUnreachable OnUnreachable
}

// noDemands is what a flag demands that says nothing.
func noDemands() demands {
	return demands{freshness: FreshnessCacheFirst, onUnreachable: OnUnreachableServeStale}
}

// with returns the stricter of each demand: anyone who is answered from several flags must satisfy all of them.
func (d demands) with(other demands) demands {
	return demands{
		freshness:     stricter(d.freshness, other.freshness, FreshnessCacheFirst, FreshnessBackgroundRefresh, FreshnessAlwaysFresh),
		refreshAfter:  shorter(d.refreshAfter, other.refreshAfter),
		maxStaleness:  shorter(d.maxStaleness, other.maxStaleness),
		onUnreachable: stricter(d.onUnreachable, other.onUnreachable, OnUnreachableServeStale, OnUnreachableDefaultVariant, OnUnreachableError),
	}
}

// stricter returns the one of a and b that stands later in order.
func stricter[T comparable](a, b T, order ...T) T {
	strictest := a
	for _, candidate := range order {
		if candidate == a || candidate == b {
			strictest = candidate
		}
	}
	return strictest
}

// shorter returns the smaller duration. An unset one gives way.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return cmp.Or(a, b)
	}
	return min(a, b)
}
