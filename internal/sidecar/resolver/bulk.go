package resolver

import (
	"context"
	"iter"
	"slices"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// BulkRequest is a request for all selected flags: Resolver.BeginAll, then Answer or Results, then End. The zero value is ready for BeginAll,
// and a BulkRequest may be used again after End. It belongs to one goroutine.
type BulkRequest struct {
	request

	last   lastQuestion
	key    bulkKey
	tag    bulkTag
	build  bulkBuild
	body   bulkBody
	result eval.Result // of the flag that is being encoded
	usage  usage.Bulk
	err    error // see Results.Err
}

// BulkEncoder makes the body of a bulk answer.
type BulkEncoder interface {
	// Form names the encoding: answers of different forms are told apart.
	Form() string
	// Buffer returns memory for a body that is not in memory already. It is called at most once for an answer, before anything is evaluated, and
	// may wait.
	Buffer() []byte
	// Head is what comes before the items of every answer of the form.
	Head() string
	// AppendItem appends the item of a result. It must depend on the form and the result alone, because items are kept for other answers.
	AppendItem(dst []byte, r *eval.Result) []byte
	// AppendTail appends what comes after the items, which are separated by commas; metadata are those of the answer as a whole.
	AppendTail(dst, metadata []byte) []byte
}

// BulkAnswer is the answer for all selected flags.
type BulkAnswer struct {
	// Body is the encoded answer, in the memory of the encoder; nil if that was not asked for any. Where there is no answer to send, because it
	// is not modified or failed, it is memory to be used again.
	Body []byte
	// Shared says that Body is remembered for others, too: it must not be modified, and is no memory of the encoder.
	Shared bool
	// Tag is the validator of the answer, without quotes. It is valid until End.
	Tag []byte
	// NotModified says that the client has this answer already.
	NotModified bool
}

// BeginAll is Begin for all flags that the headers select.
func (r *Resolver) BeginAll(ctx context.Context, q *BulkRequest, h Headers) error {
	q.bulk = true
	err := q.begin(ctx, r, h)
	if err != nil {
		q.End()
	}
	return err
}

// End lets go of everything that q refers to. It keeps the question, for the next to be compared with.
func (q *BulkRequest) End() {
	q.end()
	q.key.reset()
	q.tag.reset()
	q.body.reset()
	q.usage.End()
	q.build, q.result, q.err = bulkBuild{}, eval.Result{}, nil
}

// Find returns the context in a member of the object that data encode, as part of data. It reports false if a decoder has to look that does not only
// take what is strict; see Request.AnswerMember.
func (q *BulkRequest) Find(data []byte, member string) (context []byte, ok bool) {
	if q.Lenient() {
		return nil, false
	}
	if context, ok := q.last.find(data, member); ok {
		return context, true
	}
	context, err := q.contextRules().FindContextMember(&q.context, data, member)
	if err != nil {
		return nil, false
	}
	q.last.found(data, member, context)
	return context, true
}

// Answer answers all selected flags in the context that data encode. known are the validators of the answers that the client has, as in
// If-None-Match. What can be seen without evaluating is: that the client has the answer, and that it is in memory. Otherwise the flags are
// evaluated, and the body is remembered unless it may be another at any moment.
//
// Nil, empty and null data are an empty context. A copy of data is kept for the next question that q is used for. Errors wrap
// eval.ErrInvalidContext, ErrTimeout or ErrGone; then only the memory of the body is of use.
func (q *BulkRequest) Answer(ctx context.Context, data, known []byte, e BulkEncoder) (BulkAnswer, error) {
	q.ask(e.Form(), data)
	q.keepAll(data)
	if anyTag(known, q.unchanged) {
		return BulkAnswer{Tag: q.tag.text, NotModified: true}, nil
	}
	remembered, ok := q.recall()
	if ok {
		return BulkAnswer{Body: remembered, Shared: true, Tag: q.tag.text, NotModified: anyTag(known, q.tag.hasBody)}, nil
	}
	body, err := q.make(ctx, data, e)
	if err != nil {
		return BulkAnswer{Body: body}, err
	}
	return BulkAnswer{Body: body, Tag: q.tag.text, NotModified: anyTag(known, q.tag.hasBody)}, nil
}

// make makes the body of the answer and notes its validator.
func (q *BulkRequest) make(ctx context.Context, data []byte, e BulkEncoder) ([]byte, error) {
	memory := e.Buffer()
	if err := q.setContext(data); err != nil {
		return memory, err
	}
	q.body.begin(e, memory)
	q.encodeAll(ctx)
	if q.err == nil {
		q.remember(q.body.bytes)
	}
	return q.body.bytes, q.err
}

// Results are the results for all selected flags, in one context and from one view. They are valid until the request ends.
type Results struct{ q *BulkRequest }

// Results returns the results in the context that data encode, without a look at the memory. Errors wrap eval.ErrInvalidContext.
func (q *BulkRequest) Results(data []byte) (Results, error) {
	q.keepAll(data)
	return Results{q}, q.setContext(data)
}

// All evaluates every selected flag, in key order, each as Request.Answer does. It ends early when ctx ends or the time for a request is over:
// Err says so, and what was made of the results is no answer then.
func (r Results) All(ctx context.Context) iter.Seq[eval.Result] {
	q := r.q
	return func(yield func(eval.Result) bool) {
		q.build, q.err = bulkBuild{}, nil
		q.usage.Begin(q.resolver.usage, q.application)
		watch := q.watch()
		defer func() {
			q.resolver.counts.evaluations(&q.build.tally)
			q.recordAll(&q.build.tally, false)
		}()
		for flag := range q.flags() {
			if !q.selector.Selects(flag) {
				continue
			}
			result, stale := q.evaluate(flag)
			o := usage.OutcomeOf(&result)
			q.build.add(&result, o, stale)
			q.usage.Evaluation(&result, o)
			if !yield(result) {
				return
			}
			if q.err = watch.evaluated(ctx, q.context.Work()); q.err != nil {
				q.resolver.ended.count(q.err)
				return
			}
		}
	}
}

// Err returns why All ended early, nil if it did not. It wraps ErrTimeout or ErrGone.
func (r Results) Err() error { return r.q.err }

// Metadata returns the metadata of the answer as a whole, as a JSON object that must not be modified.
func (r Results) Metadata() []byte { return r.q.appendPinGone(r.q.selector.Metadata()) }

// flags returns the flags that q is answered from, in key order.
func (q *BulkRequest) flags() iter.Seq[*eval.Flag] {
	if q.pin.newest == nil {
		return slices.Values(q.rules.Flags())
	}
	return func(yield func(*eval.Flag) bool) {
		old, newest := q.rules.Flags(), q.pin.newest.Flags()
		for len(old) > 0 || len(newest) > 0 {
			var a, b *eval.Flag
			if len(newest) == 0 || len(old) > 0 && old[0].Key() <= newest[0].Key() {
				a = old[0]
			}
			if a == nil || len(newest) > 0 && newest[0].Key() == a.Key() {
				b = newest[0]
			}
			if a != nil {
				old = old[1:]
			}
			if b != nil {
				newest = newest[1:]
			}
			if flag := q.pinned(a, b); flag != nil && !yield(flag) {
				return
			}
		}
	}
}
