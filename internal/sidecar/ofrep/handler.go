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
	tag      []byte // the validator of a bulk answer, in quotes
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
	if status := s.misdirected(&ctx.Request.Header); status != 0 {
		refuse(ctx, status)
		return
	}
	target := parseRoute(ctx.Request.Header.RequestURI())
	switch allowed := s.allowOrigin(ctx); {
	case allowed && isPreflight(ctx):
		s.answerPreflight(ctx)
	case s.isStranger(&ctx.Request.Header):
		refuseStranger(ctx)
	case s.feed != nil && isStream(ctx.Request.Header.RequestURI()):
		s.openStream(ctx)
	case !target.known:
		refuse(ctx, fasthttp.StatusNotFound)
	case !ctx.IsPost():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
		refuse(ctx, fasthttp.StatusMethodNotAllowed)
	case isEncoded(&ctx.Request.Header):
		refuseEncoded(ctx)
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
	context, err := prepare(ctx, x)
	defer x.envelope.forget()
	switch {
	case err != nil:
	case len(x.key) == 0:
		err = s.all(ctx, x, context)
	default:
		err = one(ctx, q, x.key, context)
	}
	if err != nil {
		code := codeOf(err)
		q.Fail(code)
		fail(ctx, statusOfRequest(err), x.key, code, err.Error())
	}
}

// prepare reads what the request says about selection and freshness, waits for the freshness, and returns the evaluation context, which
// is a part of the request.
func prepare(ctx *fasthttp.RequestCtx, x *exchange) (context []byte, err error) {
	q := &x.request
	header := &ctx.Request.Header
	if err := q.Select(header.Peek(selectorHeader)); err != nil {
		return nil, err
	}
	revision, freshness, err := resolver.ParseRequirement(header.Peek(resolver.HeaderMinRevision), header.Peek(resolver.HeaderFreshness))
	if err != nil {
		return nil, err
	}
	q.Require(revision, freshness)
	q.TakeHeaders(header.Peek)
	if err := freshen(q, x.key); err != nil {
		return nil, err
	}
	return x.envelope.context(ctx.PostBody(), q.Lenient())
}

// freshen waits for the freshness that the flag with the key demands, or all flags if it is empty. The deadline of the resolver ends it:
// that a client has gone is not known here.
func freshen(q *resolver.Request, key []byte) error {
	if len(key) == 0 {
		return q.FreshenAll(context.Background())
	}
	return q.Freshen(context.Background(), key)
}

// one answers for a single flag, or not at all if the context is refused.
func one(ctx *fasthttp.RequestCtx, q *resolver.Request, key, context []byte) error {
	if err := q.SetContext(context); err != nil {
		return err
	}
	result := q.Evaluate(key)
	setBody(ctx, statusOf(result.ErrorCode), appendResult(buffer(ctx), key, &result))
	return nil
}

// selectorHeader narrows a request to some flags, as with flagd.
const selectorHeader = "Flagd-Selector"

// The forms of bulk answers: without event streams and with them.
const (
	formPlain   = "ofrep"
	formStreams = "ofrep with streams"
)

// all answers for every selected flag, or not at all if the context is refused. Failures are items of the answer.
func (s *Server) all(ctx *fasthttp.RequestCtx, x *exchange, context []byte) error {
	q := &x.request
	q.AskAll(s.form(), context)
	had := validators(ctx, q)
	if anyOf(had, q.Unchanged) {
		answerAll(ctx, x, fasthttp.StatusNotModified, buffer(ctx))
		return nil
	}
	s.making <- struct{}{}
	defer func() { <-s.making }()
	if remembered, ok := q.RecallAll(); ok {
		s.settle(ctx, x, had, append(s.spareBuffer(ctx), remembered...))
		return nil
	}
	if err := q.SetContext(context); err != nil {
		return err
	}
	body := appendAll(s.spareBuffer(ctx), q)
	if err := q.Err(); err != nil {
		s.giveBack(ctx, body)
		return err
	}
	if s.feed != nil {
		body = appendStreams(body, ctx.Request.Header.Peek(selectorHeader))
	}
	body = append(body, '}')
	q.KeepAll(body)
	s.settle(ctx, x, had, body)
	return nil
}

// form returns the name of the encoding of bulk answers.
func (s *Server) form() string {
	if s.feed == nil {
		return formPlain
	}
	return formStreams
}

// appendAll appends the answer for every selected flag, and leaves its end open for further members.
func appendAll(body []byte, q *resolver.Request) []byte {
	body = append(body, `{"flags":[`...)
	first := true
	for result := range q.EvaluateAll(context.Background()) { // that the client is gone is not known here
		if !first {
			body = append(body, ',')
		}
		first = false
		body = appendResult(body, result.Flag.Key(), &result)
	}
	body = append(body, `],"metadata":`...)
	return append(body, q.Metadata()...)
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
