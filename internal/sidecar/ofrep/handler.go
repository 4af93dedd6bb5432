package ofrep

import (
	"context"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// exchange is the working memory of one request, reused for others.
type exchange struct {
	request  resolver.Request
	envelope envelope
	key      []byte // unescaped; empty for a bulk request
}

// handle answers one request. It must not keep anything of ctx.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	defer s.survive(ctx)
	if s.draining.Load() {
		ctx.SetConnectionClose()
	}
	if status := framingProblem(ctx); status != 0 {
		refuse(ctx, status)
		return
	}
	target := parseRoute(ctx.Request.Header.RequestURI())
	switch {
	case !target.known:
		refuse(ctx, fasthttp.StatusNotFound)
	case !ctx.IsPost():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
		refuse(ctx, fasthttp.StatusMethodNotAllowed)
	default:
		s.evaluate(ctx, target.key)
	}
}

// evaluate answers a request about the flag with the escaped key, or about all flags if it is empty. A panic leaves the exchange to
// the garbage collector, whatever state it is in.
func (s *Server) evaluate(ctx *fasthttp.RequestCtx, escapedKey []byte) {
	x := s.exchanges.Get().(*exchange)
	var intact bool
	x.key, intact = appendUnescaped(x.key[:0], escapedKey)
	if intact {
		s.resolve(ctx, x)
	} else {
		fail(ctx, fasthttp.StatusBadRequest, escapedKey, eval.ErrorGeneral, "the flag key has a broken percent-encoding")
	}
	s.exchanges.Put(x)
}

func (s *Server) resolve(ctx *fasthttp.RequestCtx, x *exchange) {
	q := &x.request
	if err := s.resolver.Begin(q); err != nil {
		fail(ctx, fasthttp.StatusServiceUnavailable, x.key, eval.ErrorProviderNotReady, err.Error())
		return
	}
	defer q.End()
	if err := prepare(ctx, x); err != nil {
		code := codeOf(err)
		q.Fail(code)
		fail(ctx, statusOfRequest(err), x.key, code, err.Error())
		return
	}
	if len(x.key) == 0 {
		all(ctx, q)
	} else {
		one(ctx, q, x.key)
	}
}

// prepare reads what the request says about selection, freshness and context, and waits for the freshness.
func prepare(ctx *fasthttp.RequestCtx, x *exchange) error {
	q := &x.request
	header := &ctx.Request.Header
	if err := q.Select(header.Peek("Flagd-Selector")); err != nil {
		return err
	}
	revision, freshness, err := resolver.ParseRequirement(header.Peek(resolver.HeaderMinRevision), header.Peek(resolver.HeaderFreshness))
	if err != nil {
		return err
	}
	q.Require(revision, freshness)
	if err := freshen(q, x.key); err != nil {
		return err
	}
	context, err := x.envelope.context(ctx.PostBody(), q.Lenient())
	defer x.envelope.forget()
	if err != nil {
		return err
	}
	return q.SetContext(context)
}

// freshen waits for the freshness that the flag with the key demands, or all flags if it is empty. The deadline of the resolver ends it:
// that a client has gone is not known here.
func freshen(q *resolver.Request, key []byte) error {
	if len(key) == 0 {
		return q.FreshenAll(context.Background())
	}
	return q.Freshen(context.Background(), key)
}

// one answers for a single flag.
func one(ctx *fasthttp.RequestCtx, q *resolver.Request, key []byte) {
	result := q.Evaluate(key)
	setBody(ctx, statusOf(result.ErrorCode), appendResult(buffer(ctx), key, &result))
}

// all answers for every selected flag. Failures are items of the answer.
func all(ctx *fasthttp.RequestCtx, q *resolver.Request) {
	body := append(buffer(ctx), `{"flags":[`...)
	first := true
	for result := range q.EvaluateAll() {
		if !first {
			body = append(body, ',')
		}
		first = false
		body = appendResult(body, result.Flag.Key(), &result)
	}
	body = append(body, `],"metadata":`...)
	body = append(body, q.Metadata()...)
	setBody(ctx, fasthttp.StatusOK, append(body, '}'))
}

// survive turns a panic of a handler into an answer, so that one bad request does not end the process.
func (s *Server) survive(ctx *fasthttp.RequestCtx) {
	v := recover()
	if v == nil {
		return
	}
	s.reportPanic(v)
	ctx.Response.Reset()
	refuse(ctx, fasthttp.StatusInternalServerError)
}
