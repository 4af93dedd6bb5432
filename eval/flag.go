package eval

import "time"

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

// Flag is one compiled flag. It is immutable.
type Flag struct {
	key           string
	revision      uint64
	setID         string
	document      []byte
	metadata      []byte
	freshness     Freshness
	refreshAfter  time.Duration
	maxStaleness  time.Duration
	onUnreachable OnUnreachable
}

// Key returns the flag's key.
func (f *Flag) Key() string { return f.key }

// Revision returns the revision of the document that the flag was compiled from.
func (f *Flag) Revision() uint64 { return f.revision }

// SetID returns the flagSetId of the merged metadata, empty if there is none.
func (f *Flag) SetID() string { return f.setID }

// Document returns the body that the flag was compiled from. The slice is shared and must not be modified.
func (f *Flag) Document() []byte { return f.document }

// Metadata returns the JSON object that every answer of the flag carries. The slice is shared and must not be modified.
func (f *Flag) Metadata() []byte { return f.metadata }

// Freshness returns the flag's own read strategy, FreshnessCacheFirst unless its document says otherwise.
func (f *Flag) Freshness() Freshness { return f.freshness }

// RefreshAfter returns the age of knowledge from which a FreshnessBackgroundRefresh flag asks for newer knowledge; 0 if unset.
func (f *Flag) RefreshAfter() time.Duration { return f.refreshAfter }

// MaxStaleness returns the age of knowledge past which answers are stale; 0 if unset.
func (f *Flag) MaxStaleness() time.Duration { return f.maxStaleness }

// OnUnreachable returns what the flag answers when its freshness cannot be had, OnUnreachableServeStale unless its document says
// otherwise.
func (f *Flag) OnUnreachable() OnUnreachable { return f.onUnreachable }

// Evaluate evaluates the flag for c at the time now. It never fails and never blocks: whatever goes wrong is in the result.
func (f *Flag) Evaluate(c *Context, now time.Time) Result {
	return Result{Flag: f, Reason: ReasonError, ErrorCode: ErrorGeneral, Metadata: f.metadata}
}
