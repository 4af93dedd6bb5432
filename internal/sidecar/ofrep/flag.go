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
func (s *Server) answerFlag(ctx *fasthttp.RequestCtx, escapedKey []byte) {
	x := s.exchanges.Get().(*exchange)
	var intact bool
	x.key, intact = appendUnescaped(x.key[:0], escapedKey)
	if !intact {
		fail(ctx, fasthttp.StatusBadRequest, escapedKey, eval.ErrorGeneral, "the flag key has a broken percent-encoding")
	} else if err := s.flag(ctx, x); err != nil {
		s.failEvaluation(ctx, x.key, err)
	}
	s.exchanges.Put(x)
}

// flag gives the answer, unless it returns an error. The deadline of the resolver ends a wait for freshness: that a client has gone is not
// known here.
func (s *Server) flag(ctx *fasthttp.RequestCtx, x *exchange) error {
	q := &x.request
	if err := s.resolver.Begin(context.Background(), q, x.key, headersOf(&ctx.Request.Header)); err != nil {
		return err
	}
	defer q.End()
	setRevision(ctx, q.View())
	data, err := x.envelope.context(ctx.PostBody(), q.Lenient())
	defer x.envelope.forget()
	if err != nil {
		return err
	}
	result, err := q.Answer(data)
	if err != nil {
		return err
	}
	q.Exposed(&result)
	setBody(ctx, statusOf(result.ErrorCode), appendResult(buffer(ctx), x.key, &result))
	return nil
}

// headersOf returns what a request says beside its evaluation context. It is short enough to be inlined, which saves an allocation.
func headersOf(header *fasthttp.RequestHeader) resolver.Headers {
	says := demandsOf(header)
	says.Get = header.Peek
	return says
}

func demandsOf(header *fasthttp.RequestHeader) resolver.Headers {
	return resolver.Headers{
		Selector:    header.Peek(resolver.HeaderSelector),
		MinRevision: header.Peek(resolver.HeaderMinRevision),
		Freshness:   header.Peek(resolver.HeaderFreshness),
		Pin:         header.Peek(resolver.HeaderPin),
		PinMode:     header.Peek(resolver.HeaderPinMode),
		Application: header.Peek(resolver.HeaderApplication),
	}
}
