package resolver

import (
	"context"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/sync/changelog"
)

// request is what a request for one flag and one for all flags have in common. Between begin and End all that it says comes from one view.
type request struct {
	resolver *Resolver
	view     *cache.View
	rules    *eval.Ruleset // of the view
	now      time.Time
	context  eval.Context
	enricher enricher
	trace    trace // of the caller, if requests are logged
	selector Selector

	application usage.Application
	bulk        bool            // whether all flags are asked for
	flagKey     []byte          // of the flag that is asked for otherwise
	flag        *eval.Flag      // with that key, in rules; nil if it was not looked up or is not there
	revision    changelog.Token // required; zero if none is
	fresh       bool            // whether every flag is to be as fresh as can be
	lenient     bool            // whether the revision comes from baggage, which visitors can write: it is waited for and not insisted on
	pin         pin
	waited      time.Duration
	until       int64 // when waiting ends at the latest, see Headers; 0 is the deadline of the resolver
	freshness   freshness
	demanded    demand // by all selected flags, of a bulk request
	metadata    []byte // of stale answers, one after the other
}

// begin puts q on the newest view, notes what the headers demand, and waits until that and what the flags demand is met. The errors are those
// of Resolver.Begin.
func (q *request) begin(ctx context.Context, r *Resolver, h Headers) error {
	q.resolver = r
	q.refresh()
	if q.view == nil {
		return ErrNotReady
	}
	if err := q.selector.Parse(h.Selector); err != nil {
		return err
	}
	revision, strategy, err := parseRequirement(h.MinRevision, h.Freshness)
	if err != nil {
		return err
	}
	q.revision, q.fresh = revision, strategy == eval.FreshnessAlwaysFresh
	if q.pin, err = parsePin(h.Pin, h.PinMode); err != nil {
		return err
	}
	q.until = h.Until
	q.application = r.usage.Application(h.Application)
	if h.Get != nil {
		q.takeHeaders(h.Get)
	}
	if err := q.freshen(ctx); err != nil {
		return err
	}
	return q.goBack(ctx)
}

// takeHeaders keeps what logging, the enrichment of the context and baggage need of the headers.
func (q *request) takeHeaders(get func(name string) []byte) {
	if q.resolver.baggage {
		q.takeBaggage(get(headerBaggage))
	}
	if q.resolver.verbose {
		q.trace = parseTrace(get(headerTrace))
	}
	for i := range q.resolver.attributes {
		var value []byte
		if header := q.resolver.attributes[i].header; header != "" {
			value = get(header)
		}
		q.enricher.headers = append(q.enricher.headers, value)
	}
}

// refresh puts q on the newest view and the present time.
func (q *request) refresh() {
	q.view, q.now, q.flag = q.resolver.views.View(), q.resolver.now(), nil
	if q.view != nil {
		q.rules = q.view.Rules()
	}
}

// maxKeptMetadata bounds the memory for metadata that a request keeps, which a bulk answer of stale flags needs much of.
const maxKeptMetadata = 16 << 10

// end lets go of everything that q refers to and keeps its memory, unless it is unusually large.
func (q *request) end() {
	q.view, q.rules, q.flagKey, q.flag = nil, nil, nil, nil
	q.context.Reset()
	q.enricher.reset()
	q.trace = trace{}
	q.revision, q.lenient, q.fresh, q.waited, q.until, q.freshness = changelog.Token{}, false, false, 0, 0, freshness{}
	q.pin = pin{}
	q.demanded = demand{}
	q.metadata = q.metadata[:0]
	if cap(q.metadata) > maxKeptMetadata {
		q.metadata = nil
	}
}

// View returns the view that q is answered from. It is valid until End.
func (q *request) View() *cache.View { return q.view }

// Newest reports whether the view that q is answered from is still the newest.
func (q *request) Newest() bool { return q.view == q.resolver.views.View() }

// Lenient reports whether the environment asks for the leniency of the flagd daemon.
func (q *request) Lenient() bool { return q.contextRules().Compatibility() == eval.CompatibilityFlagd }

// Demanding reports whether the headers demand more than the flags do.
func (q *request) Demanding() bool {
	return q.revision != (changelog.Token{}) || q.fresh || q.pin.wanted()
}

// contextRules returns the rules that contexts are decoded for: the newest, which know every attribute that older ones read.
func (q *request) contextRules() *eval.Ruleset {
	if q.pin.newest != nil {
		return q.pin.newest
	}
	return q.rules
}

// setContext decodes the evaluation context and enriches it; nil, empty and null data are an empty one. It does not keep data. Its errors
// wrap eval.ErrInvalidContext.
func (q *request) setContext(data []byte) error {
	data, err := q.enrich(data)
	if err != nil {
		return err
	}
	return q.contextRules().DecodeContext(&q.context, data)
}
