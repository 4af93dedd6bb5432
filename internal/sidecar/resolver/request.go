package resolver

import (
	"context"
	"iter"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Request is one request of an application on its way through the resolver: Begin, Require, Select and TakeHeaders if there is
// something to say, Freshen or FreshenAll, SetContext, Evaluate or EvaluateAll, End. AskAll, before SetContext, is for answers that may be
// remembered or recognised. All answers come from one view. The zero value is ready for Begin, and a Request may be used again after
// End. It belongs to one goroutine.
type Request struct {
	resolver *Resolver
	view     *cache.View
	rules    *eval.Ruleset // of the view
	now      time.Time
	context  eval.Context
	merging  merging
	trace    trace // of the caller, if requests are logged
	selector selector

	revision  changelog.Token // required; zero if none is
	fresh     bool            // whether every flag is to be as fresh as can be
	bulk      bool            // whether all flags are asked for
	asked     *eval.Flag      // the flag that Freshen found last
	waited    time.Duration
	knowledge knowledge
	metadata  []byte // of stale answers, one after the other
	demanded  need   // by all flags, of FreshenAll
	forming   forming
	question  question // to all flags
	err       error    // see Err
}

// Begin begins q with the newest view. It fails with ErrNotReady while there is none; then q must not be used.
func (r *Resolver) Begin(q *Request) error {
	q.resolver = r
	q.renew()
	if q.view == nil {
		r.counts.failure(eval.ErrorProviderNotReady)
		return ErrNotReady
	}
	return nil
}

// renew puts q on the newest view and the present time.
func (q *Request) renew() {
	q.view, q.now, q.asked = q.resolver.views.View(), q.resolver.now(), nil
	if q.view != nil {
		q.rules = q.view.Rules()
	}
}

// maxKeptMetadata bounds the memory for metadata that a Request keeps, which a bulk answer of stale flags needs much of.
const maxKeptMetadata = 16 << 10

// End lets go of everything that q refers to and keeps its memory, unless it is unusually large, for the next Begin.
func (q *Request) End() {
	q.view, q.rules, q.asked = nil, nil, nil
	q.context.Reset()
	q.merging.reset()
	q.trace = trace{}
	q.selector.reset()
	q.revision, q.fresh, q.bulk, q.waited, q.knowledge = changelog.Token{}, false, false, 0, knowledge{}
	q.metadata, q.demanded, q.forming = q.metadata[:0], need{}, forming{}
	q.question.reset()
	q.err = nil
	if cap(q.metadata) > maxKeptMetadata {
		q.metadata = nil
	}
}

// View returns the view that q stands on. It is valid until End.
func (q *Request) View() *cache.View { return q.view }

// Lenient reports whether the environment asks for the leniency of the flagd daemon.
func (q *Request) Lenient() bool { return q.rules.Compatibility() == eval.CompatibilityFlagd }

// SetContext decodes the evaluation context, to which the additions of the resolver come; nil, empty and null data are an empty one. It
// does not keep data. Its errors wrap eval.ErrInvalidContext.
func (q *Request) SetContext(data []byte) error {
	data, err := q.effective(data)
	if err != nil {
		return err
	}
	return q.rules.DecodeContext(&q.context, data)
}

// Fail counts a request that cannot be evaluated.
func (q *Request) Fail(code eval.ErrorCode) { q.resolver.counts.failure(code) }

// Evaluate evaluates the flag with the key. The result of a flag that does not exist, or that the selector leaves out, has no Flag. If
// Freshen could not have the knowledge that the flag demands, the flag's onUnreachable decides; the metadata of such a result are valid
// until End.
func (q *Request) Evaluate(key []byte) eval.Result {
	flag := q.asked
	if flag == nil || flag.Key() != string(key) {
		flag = q.rules.FlagBytes(key)
	}
	if flag == nil || !q.selector.matches(flag) {
		q.Fail(eval.ErrorFlagNotFound)
		result := eval.Result{
			Reason:    eval.ReasonError,
			ErrorCode: eval.ErrorFlagNotFound,
			Detail:    "the flag does not exist",
			Metadata:  q.Metadata(),
		}
		q.record(key, &result)
		return result
	}
	result := q.evaluate(flag)
	q.resolver.counts.evaluation(kindOf(&result))
	if q.resolver.perFlag != nil {
		q.resolver.perFlag.evaluated(flag)
	}
	q.record(key, &result)
	return result
}

// EvaluateAll evaluates every flag that the selector includes, in key order, each as Evaluate does. It ends early when ctx ends or the time
// for a request is over: Err says so, and what was made of the results is no answer then.
func (q *Request) EvaluateAll(ctx context.Context) iter.Seq[eval.Result] {
	return func(yield func(eval.Result) bool) {
		q.forming, q.err = forming{}, nil
		watch := q.watch()
		defer func() {
			q.resolver.counts.evaluations(&q.forming.tally)
			q.recordAll(&q.forming.tally, false)
		}()
		for _, flag := range q.rules.Flags() {
			if !q.selector.matches(flag) {
				continue
			}
			result := q.evaluate(flag)
			q.forming.add(&result)
			if !yield(result) {
				q.forming.fickle = true // what was not seen could be
				return
			}
			if q.err = watch.evaluated(ctx, q.context.Work()); q.err != nil {
				q.forming.fickle = true
				q.resolver.ended.count(q.err)
				return
			}
		}
	}
}

// Err returns why the last EvaluateAll ended early, nil if it did not. It wraps ErrTimeout or ErrGone.
func (q *Request) Err() error { return q.err }

// Metadata returns the metadata of an answer that belongs to no flag: the selection, as a JSON object. It is valid until End and must
// not be modified.
func (q *Request) Metadata() []byte { return q.selector.metadata() }

func (q *Request) evaluate(flag *eval.Flag) eval.Result {
	if q.stale(flag) {
		q.forming.fickle = true
		q.resolver.counts.stale[flag.OnUnreachable()].Inc()
		return q.withoutKnowledge(flag)
	}
	return flag.Evaluate(&q.context, q.now)
}
