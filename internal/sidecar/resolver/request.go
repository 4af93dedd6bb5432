package resolver

import (
	"iter"
	"time"

	"github.com/flagside/flagside/eval"
)

// Request is one request of an application on its way through the resolver. All of its answers come from one view. The zero value is
// ready for Begin, and a Request may be used again after End. It belongs to one goroutine.
type Request struct {
	resolver *Resolver
	rules    *eval.Ruleset
	now      time.Time
	context  eval.Context
	selector selector
}

// Begin begins q with the newest view. It fails with ErrNotReady while there is none; then q must not be used.
func (r *Resolver) Begin(q *Request) error {
	view := r.views.View()
	if view == nil {
		r.counts.failure(eval.ErrorProviderNotReady)
		return ErrNotReady
	}
	q.resolver, q.rules, q.now = r, view.Rules(), r.now()
	return nil
}

// End lets go of everything that q refers to and keeps its memory for the next Begin.
func (q *Request) End() {
	q.rules = nil
	q.context.Reset()
	q.selector.reset()
}

// Lenient reports whether the environment asks for the leniency of the flagd daemon.
func (q *Request) Lenient() bool { return q.rules.Compatibility() == eval.CompatibilityFlagd }

// SetContext decodes the evaluation context; nil, empty and null data are an empty one. It does not keep data. Its errors wrap
// eval.ErrInvalidContext.
func (q *Request) SetContext(data []byte) error {
	return q.rules.DecodeContext(&q.context, data)
}

// Fail counts a request that cannot be evaluated.
func (q *Request) Fail(code eval.ErrorCode) { q.resolver.counts.failure(code) }

// Evaluate evaluates the flag with the key. The result of a flag that does not exist, or that the selector leaves out, has no Flag.
func (q *Request) Evaluate(key []byte) eval.Result {
	flag := q.rules.FlagBytes(key)
	if flag == nil || !q.selector.matches(flag) {
		q.Fail(eval.ErrorFlagNotFound)
		return eval.Result{
			Reason:    eval.ReasonError,
			ErrorCode: eval.ErrorFlagNotFound,
			Detail:    "the flag does not exist",
			Metadata:  q.Metadata(),
		}
	}
	return q.evaluate(flag)
}

// EvaluateAll evaluates every flag that the selector includes, in key order.
func (q *Request) EvaluateAll() iter.Seq[eval.Result] {
	return func(yield func(eval.Result) bool) {
		for _, flag := range q.rules.Flags() {
			if q.selector.matches(flag) && !yield(q.evaluate(flag)) {
				return
			}
		}
	}
}

// Metadata returns the metadata of an answer that belongs to no flag: the selection, as a JSON object. It is valid until End and must
// not be modified.
func (q *Request) Metadata() []byte { return q.selector.metadata() }

func (q *Request) evaluate(flag *eval.Flag) eval.Result {
	result := flag.Evaluate(&q.context, q.now)
	q.resolver.counts.result(&result)
	return result
}
