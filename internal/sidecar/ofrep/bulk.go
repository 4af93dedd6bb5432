package ofrep

import (
	"context"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// bulkExchange is the working memory of one request about all flags, reused for others. It encodes the answer.
type bulkExchange struct {
	request  resolver.BulkRequest
	envelope envelope
	tag      []byte // the validator of the answer, in quotes

	server *Server
	ctx    *fasthttp.RequestCtx // of the request that is being answered
	making bool                 // whether a place in server.making is taken
}

var _ resolver.BulkEncoder = (*bulkExchange)(nil)

// The forms of bulk answers: without event streams and with them.
const (
	formPlain   = "ofrep"
	formStreams = "ofrep with streams"
)

// answerBulk answers a request about all flags. A panic leaves the exchange to the garbage collector, whatever state it is in.
func (s *Server) answerBulk(ctx *fasthttp.RequestCtx, f *fields) {
	x := s.bulkExchanges.Get().(*bulkExchange)
	if err := s.bulk(ctx, x, f); err != nil {
		s.failEvaluation(ctx, nil, err)
	}
	s.bulkExchanges.Put(x)
}

// bulk gives the answer, unless it returns an error. Failures of single flags are items of the answer.
func (s *Server) bulk(ctx *fasthttp.RequestCtx, x *bulkExchange, f *fields) error {
	q := &x.request
	if err := s.resolver.BeginAll(context.Background(), q, headersOf(&ctx.Request.Header, f)); err != nil {
		return err
	}
	defer q.End()
	setRevision(ctx, q.View())
	data, err := x.context(ctx.PostBody())
	defer x.envelope.forget()
	if err != nil {
		return err
	}
	x.ctx = ctx
	defer x.leave()
	answer, err := q.Answer(context.Background(), data, validators(ctx, q), x)
	if err != nil {
		s.giveBack(ctx, answer.Body)
		return err
	}
	s.send(ctx, x, &answer)
	return nil
}

// context returns the evaluation context that a body holds, as exchange.answer finds it.
func (x *bulkExchange) context(body []byte) ([]byte, error) {
	if data, ok := x.request.Find(body, contextMember); ok {
		return data, nil
	}
	return x.envelope.context(body, x.request.Lenient())
}

// Form implements resolver.BulkEncoder.
func (x *bulkExchange) Form() string {
	if x.server.feed == nil {
		return formPlain
	}
	return formStreams
}

// Buffer implements resolver.BulkEncoder. It waits for a place among the answers that are being made.
func (x *bulkExchange) Buffer() []byte {
	x.server.making <- struct{}{}
	x.making = true
	return x.server.spareBuffer(x.ctx)
}

// leave gives the place back, and lets go of the request.
func (x *bulkExchange) leave() {
	if x.making {
		<-x.server.making
	}
	x.making, x.ctx = false, nil
}

// Head implements resolver.BulkEncoder.
func (x *bulkExchange) Head() string { return `{"flags":[` }

// AppendItem implements resolver.BulkEncoder.
func (x *bulkExchange) AppendItem(dst []byte, r *eval.Result) []byte {
	return appendResult(dst, r.Flag.Key(), r)
}

// AppendTail implements resolver.BulkEncoder.
func (x *bulkExchange) AppendTail(dst, metadata []byte) []byte {
	dst = append(append(dst, `],"metadata":`...), metadata...)
	if x.server.feed != nil {
		dst = appendStreams(dst, x.ctx.Request.Header.Peek(resolver.HeaderSelector))
	}
	return append(dst, '}')
}

// send makes a bulk answer, or only its validator, the answer to a client.
func (s *Server) send(ctx *fasthttp.RequestCtx, x *bulkExchange, answer *resolver.BulkAnswer) {
	affordable := answer.NotModified || s.afford(ctx, answer.Body)
	if (answer.NotModified || !affordable) && answer.Body != nil && !answer.Shared {
		s.giveBack(ctx, answer.Body)
	}
	switch {
	case answer.NotModified:
		setBody(ctx, fasthttp.StatusNotModified, buffer(ctx))
		x.setTag(ctx, answer.Tag)
	case !affordable:
		refuseBusy(ctx)
	case answer.Shared:
		setSharedBody(ctx, fasthttp.StatusOK, answer.Body)
		x.setTag(ctx, answer.Tag)
	default:
		setBody(ctx, fasthttp.StatusOK, answer.Body)
		x.setTag(ctx, answer.Tag)
	}
}

// setTag makes a validator that of the answer (ETag, RFC 9110 section 8.8.3).
func (x *bulkExchange) setTag(ctx *fasthttp.RequestCtx, tag []byte) {
	x.tag = append(append(append(x.tag[:0], '"'), tag...), '"')
	ctx.Response.Header.SetBytesV(fasthttp.HeaderETag, x.tag)
}
