package resolver

import (
	"context"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// bulkBody is the body of a bulk answer that is being made.
type bulkBody struct {
	encoder BulkEncoder
	bytes   []byte
	head    int    // how many bytes are before the items
	marks   []byte // of the items, one after the other
}

// begin begins a body in the memory of the encoder.
func (b *bulkBody) begin(e BulkEncoder, memory []byte) {
	b.encoder, b.bytes, b.marks = e, append(memory, e.Head()...), b.marks[:0]
	b.head = len(b.bytes)
}

// separate begins an item.
func (b *bulkBody) separate() {
	if len(b.bytes) > b.head {
		b.bytes = append(b.bytes, ',')
	}
}

// copy adds items that are encoded.
func (b *bulkBody) copy(items, marks []byte) {
	b.separate()
	b.bytes = append(b.bytes, items...)
	b.marks = append(b.marks, marks...)
}

// encode adds an item and returns it.
func (b *bulkBody) encode(r *eval.Result) (encoded []byte, m mark) {
	b.separate()
	start := len(b.bytes)
	b.bytes = b.encoder.AppendItem(b.bytes, r)
	encoded = b.bytes[start:]
	m = markOf(encoded)
	b.marks = append(b.marks, m[:]...)
	return encoded, m
}

// end ends the body and returns its digest.
func (b *bulkBody) end(metadata []byte) digest {
	items := len(b.bytes)
	b.bytes = b.encoder.AppendTail(b.bytes, metadata)
	b.marks = appendEnds(b.marks, b.bytes[:b.head], b.bytes[items:])
	return digestOf(b.marks)
}

// maxKeptMarks bounds the memory for marks that a request keeps.
const maxKeptMarks = 128 << 10

func (b *bulkBody) reset() {
	marks := b.marks[:0]
	if cap(marks) > maxKeptMarks {
		marks = nil
	}
	*b = bulkBody{marks: marks}
}

// encodeAll makes the body of the items of all selected flags, and notes its digest. It ends early as Results.All does.
func (q *BulkRequest) encodeAll(ctx context.Context) {
	q.build, q.err = bulkBuild{again: q.build.again}, nil
	q.usage.Begin(q.resolver.usage, q.application)
	if l := q.layout(q.body.encoder); l != nil {
		q.err = q.encodeLayout(ctx, l)
	} else {
		q.err = q.encodeEach(ctx)
	}
	q.resolver.counts.evaluations(&q.build.tally)
	q.recordAll(&q.build.tally, false)
	if q.err != nil {
		q.resolver.ended.count(q.err)
		return
	}
	q.build.digest = q.body.end(Results{q}.Metadata())
}

// encodeLayout adds all items in the order of a layout.
func (q *BulkRequest) encodeLayout(ctx context.Context, l *layout) error {
	watch := q.watch()
	for i := range l.parts {
		p := &l.parts[i]
		if p.flag == nil {
			q.body.copy(p.run, p.marks)
			continue
		}
		q.encodeFlag(p.flag, p)
		if err := watch.evaluated(ctx, q.context.Work()); err != nil {
			return err
		}
	}
	q.countSettled(l)
	return nil
}

// countSettled counts the items that were encoded in advance.
func (q *BulkRequest) countSettled(l *layout) {
	q.build.tally.add(&l.tally)
	if g := l.group(q.resolver.usage, q.application); g != nil {
		q.usage.Settled(g)
		return
	}
	for r := range l.results() {
		q.usage.Evaluation(&r, usage.OutcomeOf(&r))
	}
}

// encodeEach adds all items one by one.
func (q *BulkRequest) encodeEach(ctx context.Context) error {
	watch := q.watch()
	for flag := range q.flags() {
		if !q.selector.Selects(flag) {
			continue
		}
		q.encodeFlag(flag, nil)
		if err := watch.evaluated(ctx, q.context.Work()); err != nil {
			return err
		}
	}
	return nil
}

// encodeFlag adds the item of one flag, which may have a part of a layout.
func (q *BulkRequest) encodeFlag(flag *eval.Flag, p *part) {
	var result eval.Result
	stale := false
	if p == nil || p.mayBeStale {
		result, stale = q.evaluate(flag)
	} else {
		result = flag.Evaluate(&q.context, q.now)
	}
	keeps := p != nil && !stale && keepable(&result)
	if keeps {
		if i := p.items.find(&result); i != nil {
			q.build.add(&result, i.outcome, false)
			q.usage.EvaluationAt(&i.place, &result, i.outcome)
			q.body.copy(i.encoded, i.mark[:])
			return
		}
	}
	o := usage.OutcomeOf(&result)
	q.build.add(&result, o, stale)
	q.usage.Evaluation(&result, o)
	q.result = result // an encoder gets it where it does not have to be allocated
	encoded, m := q.body.encode(&q.result)
	if keeps {
		p.items.keep(&result, o, encoded, m)
	}
}
