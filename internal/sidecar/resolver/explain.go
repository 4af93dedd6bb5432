package resolver

import "github.com/flagside/flagside/eval"

// Explained is an answer with the way it came about.
type Explained struct {
	// Answer is what Evaluate returns. Its metadata are valid until End.
	Answer eval.Result
	// Explanation says how the flag evaluates. It differs from the answer if that is what the flag has for knowledge that cannot be confirmed.
	Explanation eval.Explanation
	// Freshness is how sure the answer is.
	Freshness Freshness
}

// Freshness is how sure a request was that it stood on the newest state.
type Freshness struct {
	Strategy  eval.Freshness // of the flag
	Confirmed bool           // by a barrier of the request
	Stale     bool           // the flag demands more than was known
	// AgeSeconds is how long before the answer everything that existed was applied for sure, nil if that is not known.
	AgeSeconds *float64
}

// Explain evaluates the flag with the key as Evaluate does and says how. It is meant for people and not counted. ok is false if there is
// no such flag within the selection.
func (q *Request) Explain(key []byte) (explained Explained, ok bool) {
	flag := q.rules.FlagBytes(key)
	if flag == nil || !q.selector.matches(flag) {
		return Explained{}, false
	}
	if !q.knowledge.known {
		q.knowledge.age, q.knowledge.known = q.resolver.log.Age()
	}
	freshness := Freshness{Strategy: flag.Freshness(), Confirmed: q.knowledge.confirmed, Stale: q.stale(flag)}
	if q.knowledge.known {
		freshness.AgeSeconds = new(q.knowledge.age.Seconds())
	}
	answer := flag.Evaluate(&q.context, q.now)
	if freshness.Stale {
		answer = q.withoutKnowledge(flag)
	}
	return Explained{Answer: answer, Explanation: flag.Explain(&q.context, q.now), Freshness: freshness}, true
}
