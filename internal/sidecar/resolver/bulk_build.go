package resolver

import (
	"bytes"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// remembered is a bulk answer in memory. It is immutable.
type remembered struct {
	body   []byte // nil of one that was asked for once: most contexts do not come again, and bodies are large
	digest digest // of body
	period period
	tally  tally
	usage  *usage.Group
}

// period is the time for which an answer stays the same as long as all else does that it depends on, in seconds of Unix time, which are
// all that rules know of the time. Its zero value is always.
type period struct {
	from  int64 // the answer was made then, and may have been another before
	until int64 // the answer may be another from then on; 0 is never
}

func (p period) holds(now time.Time) bool {
	second := now.Unix()
	return second >= p.from && (p.until == 0 || second < p.until)
}

// bulkBuild is what is known of the bulk answer that is being made.
type bulkBuild struct {
	tally    tally
	volatile bool  // an item may be another at any moment
	timed    bool  // the time had a part in an item
	until    int64 // the least ValidUntil; 0 is never
	digest   digest
	again    bool // the same was asked before
}

// add notes one item.
func (b *bulkBuild) add(r *eval.Result, o usage.Outcome, stale bool) {
	b.tally[o]++
	b.timed = b.timed || r.ClockRead
	b.volatile = b.volatile || stale
	if !r.TimeDependent {
		return
	}
	if r.ValidUntil.IsZero() {
		b.volatile = true
		return
	}
	if until := r.ValidUntil.Unix(); b.until == 0 || until < b.until {
		b.until = until
	}
}

// period returns that of an answer that was made now.
func (b *bulkBuild) period(now time.Time) period {
	if !b.timed {
		return period{}
	}
	return period{from: now.Unix(), until: b.until}
}

// recall returns the body of the answer if it is remembered, and notes its validator. Its evaluations are counted as if they had been made. The
// body is shared and must not be modified.
func (q *BulkRequest) recall() (body []byte, ok bool) {
	if !q.memorable() {
		return nil, false
	}
	found, ok := q.inMemory()
	if !ok || found.body == nil {
		q.build.again = ok
		q.resolver.counts.miss.Inc()
		return nil, false
	}
	q.resolver.counts.hit.Inc()
	q.resolver.counts.evaluations(&found.tally)
	q.resolver.usage.Again(found.usage)
	q.recordAll(&found.tally, true)
	q.tag.set(&q.key, found.digest, found.period)
	return found.body, true
}

// memorable reports whether the answer may be in memory.
func (q *BulkRequest) memorable() bool { return !q.resolver.cacheOff && q.key.cacheable }

// inMemory returns the answer as it is remembered.
func (q *BulkRequest) inMemory() (found remembered, ok bool) {
	found, ok = q.resolver.answers.Get(q.key.bytes)
	return found, ok && found.period.holds(q.now)
}

// remember notes the validator of a body that was made of all results, and remembers the answer unless it may be another at any moment.
func (q *BulkRequest) remember(body []byte) {
	made := remembered{digest: q.build.digest, period: q.build.period(q.now), tally: q.build.tally}
	if q.build.volatile {
		q.key.deterministic = false
	}
	q.tag.set(&q.key, made.digest, made.period)
	if !q.key.deterministic || !q.memorable() {
		return
	}
	if q.build.again {
		made.body = bytes.Clone(body)
	}
	made.usage = q.usage.Remember()
	q.resolver.answers.Put(q.key.bytes, made, len(made.body)+made.usage.Size())
}
