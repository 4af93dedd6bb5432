package resolver

import (
	"bytes"
	"time"

	"github.com/flagside/flagside/eval"
)

// maxRememberedContext is how many bytes a context may have whose answer is remembered. Larger ones are rare and seldom come again.
const maxRememberedContext = 8 << 10

// answer is a bulk answer in memory. It is immutable.
type answer struct {
	body   []byte
	digest digest // of body
	period period
	tally  tally
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

// forming is what is known of the bulk answer that a request is about to give.
type forming struct {
	tally  tally
	fickle bool  // an item may be another at any moment
	timed  bool  // the time had a part in an item
	until  int64 // the least ValidUntil; 0 is never
}

// add notes one item.
func (f *forming) add(r *eval.Result) {
	f.tally[kindOf(r)]++
	f.timed = f.timed || r.ClockRead
	if !r.TimeDependent {
		return
	}
	if r.ValidUntil.IsZero() {
		f.fickle = true
		return
	}
	if until := r.ValidUntil.Unix(); f.until == 0 || until < f.until {
		f.until = until
	}
}

// period returns that of an answer that was made now.
func (f *forming) period(now time.Time) period {
	if !f.timed {
		return period{}
	}
	return period{from: now.Unix(), until: f.until}
}

// RecallAll returns the body that KeepAll was given for the same question, if it is remembered. Its evaluations are counted as if they had
// been made. The body is shared and must not be modified. RecallAll comes after AskAll, in the place of SetContext and EvaluateAll; when it
// finds nothing they follow, and KeepAll at the end.
func (q *Request) RecallAll() (body []byte, ok bool) {
	if q.resolver.forgetful || !q.question.memorable {
		return nil, false
	}
	found, ok := q.resolver.answers.Get(q.question.key)
	if !ok || !found.period.holds(q.now) {
		q.resolver.counts.lost.Inc()
		return nil, false
	}
	q.resolver.counts.found.Inc()
	q.resolver.counts.evaluations(&found.tally)
	q.recordAll(&found.tally, true)
	q.question.answered(found.digest, found.period)
	return found.body, true
}

// KeepAll takes the body that was made of all results of EvaluateAll. It remembers a copy, unless it may change at any moment.
func (q *Request) KeepAll(body []byte) {
	made := answer{digest: digestOf(body), period: q.forming.period(q.now), tally: q.forming.tally}
	if q.forming.fickle {
		q.question.certain = false
	}
	q.question.answered(made.digest, made.period)
	if q.question.certain && q.question.memorable {
		made.body = bytes.Clone(body)
		q.resolver.answers.Put(q.question.key, made, len(body))
	}
}

// anyStale reports whether any of the selected flags may demand more than q knows.
func (q *Request) anyStale() bool {
	k, n := &q.knowledge, q.demanded
	return !k.confirmed && (k.failed || n.maxStaleness > 0 && k.olderThan(n.maxStaleness))
}
