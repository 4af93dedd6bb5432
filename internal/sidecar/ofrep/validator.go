package ofrep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// tagSize is how many bytes of the hash of an answer are its validator.
const tagSize = 16

// appendTag appends the validator of a bulk answer (ETag, RFC 9110 section 8.8.3). It is a hash of the answer, so two answers that differ
// in anything, the time or the staleness of knowledge included, have different ones, and equal answers of several sidecars have the same.
func appendTag(dst, body []byte) []byte {
	sum := sha256.Sum256(body)
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, sum[:tagSize])
	return append(dst, '"')
}

// settle makes a bulk answer the answer, or tells the client that it has it already.
func settle(ctx *fasthttp.RequestCtx, x *exchange, body []byte) {
	x.tag = appendTag(x.tag[:0], body)
	status := fasthttp.StatusOK
	if !knowsOther(ctx, &x.request) && matches(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch), x.tag) {
		status, body = fasthttp.StatusNotModified, body[:0]
	}
	setBody(ctx, status, body)
	ctx.Response.Header.SetBytesV(fasthttp.HeaderETag, x.tag)
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

// matches reports whether a list of validators has the tag. Weak ones count and so do those that lost their quotes on the way, as some
// clients send them. An asterisk is no validator here: every answer exists, so it would say nothing.
func matches(list, tag []byte) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte(","))
		item = bytes.TrimPrefix(bytes.Trim(item, " \t"), []byte("W/"))
		if bytes.Equal(bytes.Trim(item, `"`), bytes.Trim(tag, `"`)) {
			return true
		}
	}
	return false
}
