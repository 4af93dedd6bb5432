package ofrep

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// validators returns those of the bulk answers that a client has (If-None-Match, RFC 9110 section 13.1.2), none if it wants the answer
// whole.
func validators(ctx *fasthttp.RequestCtx, q *resolver.Request) []byte {
	if knowsOther(ctx, q) {
		return nil
	}
	return ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)
}

// knowsOther reports whether a client was told by an event of another revision than that of the answer. Then it gets the answer whole,
// because what it was told of is a hint about the flags and no validator.
func knowsOther(ctx *fasthttp.RequestCtx, q *resolver.Request) bool {
	if !bytes.Contains(ctx.Request.Header.RequestURI(), []byte("flagConfigEtag")) {
		return false
	}
	told := ctx.QueryArgs().Peek("flagConfigEtag")
	return len(told) > 0 && string(told) != q.View().Position().Token().String()
}

// anyOf reports whether fits holds for any of a list of validators. Weak ones count and so do those that lost their quotes on the way, as
// some clients send them. An asterisk is no validator here: every answer exists, so it would say nothing.
func anyOf(list []byte, fits func(tag []byte) bool) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte(","))
		item = bytes.TrimPrefix(bytes.Trim(item, " \t"), []byte("W/"))
		if fits(bytes.Trim(item, `"`)) {
			return true
		}
	}
	return false
}

// settle gives a bulk answer, or only its validator if the client had the same body before.
func (s *Server) settle(ctx *fasthttp.RequestCtx, x *exchange, had, body []byte) {
	switch {
	case anyOf(had, x.request.Repeated):
		s.giveBack(ctx, body)
		answerAll(ctx, x, fasthttp.StatusNotModified, buffer(ctx))
	case !s.afford(ctx, body):
		s.refuseBusy(ctx, body)
	default:
		answerAll(ctx, x, fasthttp.StatusOK, body)
	}
}

// answerAll makes a body and its validator (ETag, RFC 9110 section 8.8.3) the answer.
func answerAll(ctx *fasthttp.RequestCtx, x *exchange, status int, body []byte) {
	x.tag = append(append(append(x.tag[:0], '"'), x.request.Tag()...), '"')
	setBody(ctx, status, body)
	ctx.Response.Header.SetBytesV(fasthttp.HeaderETag, x.tag)
}
