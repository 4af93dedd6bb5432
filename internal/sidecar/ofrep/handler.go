package ofrep

import "github.com/valyala/fasthttp"

// handle answers one request. It must not keep anything of ctx.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	defer s.recoverPanic(ctx)
	if c, ok := ctx.Conn().(*connection); ok {
		c.progress.enter(answering)
	}
	if s.draining.Load() {
		ctx.SetConnectionClose()
	}
	if status := framingProblem(ctx); status != 0 {
		refuse(ctx, status)
		return
	}
	f := fieldsOf(&ctx.Request.Header)
	if status := s.misdirected(ctx, &f); status != 0 {
		refuse(ctx, status)
		return
	}
	target := parseRoute(ctx.Request.Header.RequestURI())
	switch allowed := s.allowOrigin(ctx); {
	case allowed && isPreflight(ctx):
		s.answerPreflight(ctx)
	case s.lacksToken(&ctx.Request.Header):
		refuseUnauthorized(ctx)
	case !target.known && s.feed != nil && isStream(ctx.Request.Header.RequestURI()):
		s.openStream(ctx)
	case !target.known && !isEvents(ctx.Request.Header.RequestURI()) && !isEvaluations(ctx.Request.Header.RequestURI()):
		refuse(ctx, fasthttp.StatusNotFound)
	case !target.known && s.toldByPage(ctx, &f):
		refuse(ctx, fasthttp.StatusForbidden)
	case !target.known && isEvents(ctx.Request.Header.RequestURI()):
		s.takeEvents(ctx)
	case !ctx.IsPost():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
		refuse(ctx, fasthttp.StatusMethodNotAllowed)
	case isEncoded(&ctx.Request.Header):
		refuseEncoded(ctx)
	case !target.known:
		s.takeEvaluations(ctx)
	case len(target.key) == 0:
		s.answerBulk(ctx, &f)
	default:
		s.answerFlag(ctx, target.key, &f)
	}
}

// recoverPanic turns a panic of a handler into an answer, so that one bad request does not end the process.
func (s *Server) recoverPanic(ctx *fasthttp.RequestCtx) {
	v := recover()
	if v == nil {
		return
	}
	s.reportPanic(v)
	ctx.Response.Reset()
	refuse(ctx, fasthttp.StatusInternalServerError)
}
