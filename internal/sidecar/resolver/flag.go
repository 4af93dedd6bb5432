package resolver

import (
	"context"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// Request is a request for one flag: Resolver.Begin, then Answer or Explain, then End. The zero value is ready for Begin, and a Request may
// be used again after End. It belongs to one goroutine.
type Request struct{ request }

// Begin begins a request for the flag with the key, which it keeps. It reads what the headers demand, and makes sure that q knows as much as
// they and the flag demand: it waits for the log as long as the deadline of the resolver allows, but only if it has to. That the log cannot
// be asked is no error: the answer is the one that the flag has for that case.
//
// Errors wrap ErrNotReady, ErrSelector, ErrRequirement, ErrOtherEpoch or ErrNotReached, and are not counted; q needs no End then.
func (r *Resolver) Begin(ctx context.Context, q *Request, key []byte, h Headers) error {
	q.flagKey = key
	err := q.begin(ctx, r, h)
	if err != nil {
		q.end()
	}
	return err
}

// End lets go of everything that q refers to.
func (q *Request) End() { q.end() }

// Answer evaluates the flag in the context that data encode, to which the enrichment comes, and counts that. The result of a flag that does
// not exist, or is not selected, has no Flag. It is valid until End. Nil, empty and null data are an empty context; data are not kept. Errors
// wrap eval.ErrInvalidContext and are not counted.
func (q *Request) Answer(data []byte) (eval.Result, error) {
	if err := q.setContext(data); err != nil {
		return eval.Result{}, err
	}
	return q.answer(data), nil
}

// AnswerMember is Answer for the context in a member of the object that data encode, read in one pass. It reports false if the context has to be
// taken from there first, because data are more than a strict decoder reads, or something comes to the context; nothing is counted then.
func (q *Request) AnswerMember(data []byte, member string) (r eval.Result, ok bool) {
	if len(q.resolver.attributes) > 0 || q.Lenient() {
		return eval.Result{}, false
	}
	flag := q.selected()
	if q.pin.newest != nil {
		flag = nil // which decides the ruleset
	}
	part, err := q.contextRules().DecodeContextMember(&q.context, data, member, flag)
	if err != nil {
		return eval.Result{}, false
	}
	return q.answer(part), true
}

// answer evaluates the flag in the context that is set, which data encode.
func (q *Request) answer(data []byte) eval.Result {
	flag := q.selected()
	if flag == nil {
		return q.notFound()
	}
	result, _ := q.evaluate(flag)
	result.Metadata = q.appendPinGone(result.Metadata)
	o := usage.OutcomeOf(&result)
	q.resolver.counts.evaluation(o)
	q.resolver.usage.Evaluation(&result, o, q.application)
	if q.resolver.perFlag != nil {
		q.resolver.perFlag.evaluated(flag)
	}
	if q.resolver.reservoir.Wants(flag) {
		q.keep(flag, data)
	}
	q.record(q.flagKey, &result)
	return result
}

// selected returns the flag that is asked for, nil if it does not exist or is not selected.
func (q *Request) selected() *eval.Flag {
	if q.flag == nil {
		q.flag = q.rules.FlagBytes(q.flagKey)
		if q.pin.newest != nil {
			q.flag = q.pinned(q.flag, q.pin.newest.FlagBytes(q.flagKey))
		}
	}
	if q.flag == nil || !q.selector.Selects(q.flag) {
		return nil
	}
	return q.flag
}

func (q *Request) notFound() eval.Result {
	q.resolver.Fail(eval.ErrorFlagNotFound)
	if q.flag == nil {
		q.resolver.usage.NotFound(q.flagKey)
	}
	result := eval.Result{
		Reason:    eval.ReasonError,
		ErrorCode: eval.ErrorFlagNotFound,
		Detail:    "the flag does not exist",
		Metadata:  q.selector.Metadata(),
	}
	q.record(q.flagKey, &result)
	return result
}

// evaluate answers for a flag with what q knows, and reports whether that is less than the flag demands.
func (q *request) evaluate(flag *eval.Flag) (result eval.Result, stale bool) {
	if q.stale(flag) {
		q.resolver.counts.stale[flag.OnUnreachable()].Inc()
		return q.withoutKnowledge(flag), true
	}
	return flag.Evaluate(&q.context, q.now), false
}
