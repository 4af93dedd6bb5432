package ofrep

import (
	"context"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// exchange is the working memory of one request about a flag, reused for others.
type exchange struct {
	request  resolver.Request
	envelope envelope
	key      []byte // unescaped
}

// answerFlag answers a request about the flag with the escaped key. A panic leaves the exchange to the garbage collector, whatever state it
// is in.
func (s *Server) answerFlag(ctx *fasthttp.RequestCtx, escapedKey []byte, f *fields) {
	x := s.exchanges.Get().(*exchange)
	var intact bool
	x.key, intact = appendUnescaped(x.key[:0], escapedKey)
	if !intact {
		fail(ctx, fasthttp.StatusBadRequest, escapedKey, eval.ErrorGeneral, "the flag key has a broken percent-encoding")
	} else if err := s.flag(ctx, x, f); err != nil {
		s.failEvaluation(ctx, x.key, err)
	}
	s.exchanges.Put(x)
}

// flag gives the answer, unless it returns an error. The deadline of the resolver ends a wait for freshness: that a client has gone is not
// known here.
func (s *Server) flag(ctx *fasthttp.RequestCtx, x *exchange, f *fields) error {
	q := &x.request
	if err := s.resolver.Begin(context.Background(), q, x.key, headersOf(&ctx.Request.Header, f)); err != nil {
		return err
	}
	defer q.End()
	setRevision(ctx, q.View())
	result, err := x.answer(ctx.PostBody())
	if err != nil {
		return err
	}
	q.Exposed(&result)
	setBody(ctx, statusOf(result.ErrorCode), appendResult(buffer(ctx), x.key, &result))
	return nil
}

// answer evaluates the flag in the context that the body holds. Most bodies are read once; the decoder that knows what is wrong with the others, and
// which of them will do with flagd, reads those.
func (x *exchange) answer(body []byte) (eval.Result, error) {
	if result, ok := x.request.AnswerMember(body, contextMember); ok {
		return result, nil
	}
	defer x.envelope.forget()
	data, err := x.envelope.context(body, x.request.Lenient())
	if err != nil {
		return eval.Result{}, err
	}
	return x.request.Answer(data)
}

// headersOf returns what a request says beside its evaluation context. It is short enough to be inlined, which saves an allocation.
func headersOf(header *fasthttp.RequestHeader, f *fields) resolver.Headers {
	says := f.demands
	says.Get = header.Peek
	return says
}
