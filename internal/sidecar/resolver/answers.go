package resolver

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/flagside/flagside/eval"
)

// maxRememberedContext is how many bytes a context may have whose answer is remembered. Larger ones are rare and seldom come again.
const maxRememberedContext = 8 << 10

// answer is a bulk answer in memory. It is immutable.
type answer struct {
	body  []byte
	made  time.Time
	until time.Time // the answer may be another from then on; zero is never
	tally tally
}

// holds reports whether the answer is that of the moment. It is not for the time before it was made, to which a clock may be set back;
// rules know whole seconds of wall-clock time.
func (a *answer) holds(now time.Time) bool {
	return now.Unix() >= a.made.Unix() && (a.until.IsZero() || now.Before(a.until))
}

// forming is what is known of the bulk answer that a request is about to give.
type forming struct {
	tally     tally
	memorable bool      // every item stays the same until then, as long as the ruleset does
	until     time.Time // the least ValidUntil; zero is never
}

// add notes one item.
func (f *forming) add(r *eval.Result) {
	f.tally[kindOf(r)]++
	switch {
	case !r.TimeDependent:
	case r.ValidUntil.IsZero():
		f.memorable = false
	case f.until.IsZero() || r.ValidUntil.Before(f.until):
		f.until = r.ValidUntil
	}
}

// RecallAll returns the body that KeepAll was given for the same flags, selection, form and context, if it is remembered. Its evaluations
// are counted as if they had been made. The body is shared and must not be modified. RecallAll comes after FreshenAll, in the place of
// SetContext and EvaluateAll; when it finds nothing they follow, and KeepAll at the end. A form names how a face encodes answers.
func (q *Request) RecallAll(form string, context []byte) (body []byte, ok bool) {
	q.memory = q.memory[:0]
	context, err := q.effective(context)
	if err != nil || q.resolver.forgetful || len(context) > maxRememberedContext || q.anyStale() {
		return nil, false
	}
	q.memory = q.appendKey(q.memory, form, context)
	found, ok := q.resolver.answers.Get(q.memory)
	if !ok || !found.holds(q.now) {
		q.resolver.counts.lost.Inc()
		return nil, false
	}
	q.resolver.counts.found.Inc()
	q.resolver.counts.evaluations(&found.tally)
	q.recordAll(&found.tally, true)
	return found.body, true
}

// KeepAll remembers a copy of the body that was made of all results of EvaluateAll, unless it may change before the ruleset does.
func (q *Request) KeepAll(body []byte) {
	if len(q.memory) == 0 || !q.forming.memorable {
		return
	}
	kept := answer{body: bytes.Clone(body), made: q.now, until: q.forming.until, tally: q.forming.tally}
	q.resolver.answers.Put(q.memory, kept, len(body))
}

// anyStale reports whether any of the selected flags may demand more than q knows.
func (q *Request) anyStale() bool {
	k, n := &q.knowledge, q.demanded
	return !k.confirmed && (k.failed || n.maxStaleness > 0 && k.olderThan(n.maxStaleness))
}

// appendKey appends everything that a bulk answer depends on: the ruleset by its generation, the form, the selection and the context.
func (q *Request) appendKey(key []byte, form string, context []byte) []byte {
	key = binary.LittleEndian.AppendUint64(key, q.rules.Generation())
	key = append(append(key, form...), 0)
	if q.selector.active {
		key = append(key, 1)
		key = binary.AppendUvarint(key, uint64(len(q.selector.set)))
		key = append(key, q.selector.set...)
	} else {
		key = append(key, 0)
	}
	return append(key, context...)
}
