package resolver

import "github.com/flagside/flagside/eval"

// Explained is an answer with the way it came about.
type Explained struct {
	// Answer is what Request.Answer returns. Its metadata are valid until End.
	Answer eval.Result
	// Explanation says how the flag evaluates. It differs from the answer if that is what the flag has for knowledge that cannot be confirmed.
	Explanation eval.Explanation

	Strategy  eval.Freshness // of the flag
	Confirmed bool           // by a barrier of the request
	Stale     bool           // the flag demands more than was known
	// AgeSeconds is how long before the answer everything that existed was applied for sure, nil if that is not known.
	AgeSeconds *float64
	// AgeEstimated says that the age counts from a moment that an earlier process kept.
	AgeEstimated bool
}

// Explain evaluates the flag as Answer does and says how. It is meant for people and not counted. ok is false if there is no such flag within
// the selection. Errors wrap eval.ErrInvalidContext.
func (q *Request) Explain(data []byte) (explained Explained, ok bool, err error) {
	if err := q.setContext(data); err != nil {
		return Explained{}, false, err
	}
	flag := q.selected()
	if flag == nil {
		return Explained{}, false, nil
	}
	f := &q.freshness
	if !f.known {
		f.age, f.known = q.resolver.log.Age()
	}
	explained = Explained{
		Answer:      flag.Try(&q.context, q.now),
		Explanation: flag.Explain(&q.context, q.now),
		Strategy:    flag.Freshness(),
		Confirmed:   f.confirmed,
		Stale:       q.stale(flag),
	}
	if shown, estimated := q.resolver.shown(*f); shown.known {
		explained.AgeSeconds, explained.AgeEstimated = new(shown.age.Seconds()), estimated
	}
	if explained.Stale {
		explained.Answer = q.withoutKnowledge(flag)
	}
	return explained, true, nil
}
