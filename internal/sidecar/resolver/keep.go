package resolver

import "github.com/flagside/flagside/eval"

// keep offers an evaluation of a flag to the reservoir, with the context that it had: the enrichment is a part of it.
func (q *request) keep(flag *eval.Flag, data []byte) {
	if enriched, err := q.enrich(data); err == nil {
		q.resolver.reservoir.Keep(flag, q.selector.active, enriched, q.application)
	}
}

// keepAll offers an evaluation of all selected flags to the reservoir, if it wants one.
func (q *request) keepAll(data []byte) {
	r := q.resolver.reservoir
	if !r.WantsAll() {
		return
	}
	enriched, err := q.enrich(data)
	switch {
	case err != nil:
	case q.selector.active:
		r.KeepSet(q.selector.set, enriched, q.application)
	default:
		r.KeepAll(enriched, q.application)
	}
}
