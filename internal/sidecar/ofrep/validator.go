package ofrep

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// validators returns those of the bulk answers that a client has (If-None-Match, RFC 9110 section 13.1.2), none if it wants the answer
// whole.
func validators(ctx *fasthttp.RequestCtx, q *resolver.BulkRequest) []byte {
	if knowsOther(ctx, q) {
		return nil
	}
	return ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)
}

// knowsOther reports whether a client was told by an event of another revision than that of the answer. Then it gets the answer whole,
// because what it was told of is a hint about the flags and no validator.
func knowsOther(ctx *fasthttp.RequestCtx, q *resolver.BulkRequest) bool {
	if !bytes.Contains(ctx.Request.Header.RequestURI(), []byte("flagConfigEtag")) {
		return false
	}
	told := ctx.QueryArgs().Peek("flagConfigEtag")
	return len(told) > 0 && string(told) != q.View().Position().Token().String()
}
