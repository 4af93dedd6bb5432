package ofrep

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// contentType is that of every answer.
const contentType = "application/json"

// statusOf returns the HTTP status of an answer about one flag.
func statusOf(code eval.ErrorCode) int {
	switch code {
	case "":
		return fasthttp.StatusOK
	case eval.ErrorFlagNotFound:
		return fasthttp.StatusNotFound
	case eval.ErrorProviderNotReady:
		return fasthttp.StatusServiceUnavailable
	default:
		return fasthttp.StatusBadRequest
	}
}

// codeOf returns the error code of a request that cannot be evaluated.
func codeOf(err error) eval.ErrorCode {
	switch {
	case errors.Is(err, resolver.ErrNotReady):
		return eval.ErrorProviderNotReady
	case errors.Is(err, errBody), errors.Is(err, eval.ErrInvalidContext):
		return eval.ErrorInvalidContext
	default:
		return eval.ErrorGeneral
	}
}

// statusOfRequest returns the HTTP status of a request that cannot be evaluated.
func statusOfRequest(err error) int {
	switch {
	case errors.Is(err, resolver.ErrOtherEpoch), errors.Is(err, resolver.ErrPinGone):
		return fasthttp.StatusPreconditionFailed
	case errors.Is(err, resolver.ErrNotCounting):
		return fasthttp.StatusNotFound
	case errors.Is(err, resolver.ErrNotReached):
		return fasthttp.StatusGatewayTimeout
	case errors.Is(err, resolver.ErrNotReady), errors.Is(err, resolver.ErrTimeout):
		return fasthttp.StatusServiceUnavailable
	default:
		return fasthttp.StatusBadRequest
	}
}

// setRevision names the revision that an answer rests on, unless its flags never were in a log.
func setRevision(ctx *fasthttp.RequestCtx, view *cache.View) {
	if revision := view.Revision(); revision != "" {
		ctx.Response.Header.Set(resolver.HeaderRevision, revision)
	}
}

// appendResult appends the evaluationSuccess or evaluationFailure of the flag with the key. A success without value tells the
// application to use its own default.
func appendResult[Text []byte | string](dst []byte, key Text, r *eval.Result) []byte {
	if r.ErrorCode != "" {
		return appendFailure(dst, key, r.ErrorCode, r.Detail, r.Metadata)
	}
	dst = append(dst, `{"key":`...)
	dst = appendQuoted(dst, key)
	dst = append(dst, `,"reason":"`...)
	dst = append(dst, r.Reason...)
	dst = append(dst, '"')
	if variant := r.Variant; variant != nil {
		dst = append(dst, `,"value":`...)
		dst = append(dst, variant.Encoded()...)
		dst = append(dst, `,"variant":`...)
		dst = append(dst, variant.NameEncoded()...)
	}
	dst = append(dst, `,"metadata":`...)
	dst = append(dst, r.Metadata...)
	return append(dst, '}')
}

// appendFailure appends an evaluationFailure, or without a key a bulkEvaluationFailure. Nil metadata are empty metadata.
func appendFailure[Text []byte | string](dst []byte, key Text, code eval.ErrorCode, details string, metadata []byte) []byte {
	dst = append(dst, '{')
	if len(key) > 0 {
		dst = append(dst, `"key":`...)
		dst = appendQuoted(dst, key)
		dst = append(dst, ',')
	}
	dst = append(dst, `"errorCode":"`...)
	dst = append(dst, code...)
	dst = append(dst, `","errorDetails":`...)
	dst = appendQuoted(dst, details)
	dst = append(dst, `,"metadata":`...)
	if metadata == nil {
		dst = append(dst, "{}"...)
	}
	dst = append(dst, metadata...)
	return append(dst, '}')
}

// appendQuoted appends text as a JSON string. Invalid UTF-8 is replaced, which is all that can be done in an answer.
func appendQuoted[Text []byte | string](dst []byte, text Text) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}

// buffer takes the memory of the response body, for an answer to be appended. It must be given back with setBody.
func buffer(ctx *fasthttp.RequestCtx) []byte {
	return ctx.Response.SwapBody(nil)[:0]
}

// spareBuffer is buffer for what may be large: it prefers memory that another answer gave back.
func (s *Server) spareBuffer(ctx *fasthttp.RequestCtx) []byte {
	if spare, ok := s.spare.Get().(*[]byte); ok {
		return *spare
	}
	return buffer(ctx)
}

// keep keeps large memory for any answer.
func (s *Server) keep(body []byte) {
	body = body[:0]
	s.spare.Put(&body)
}

// giveBack keeps the memory of an answer that is not sent: small memory for the connection, large memory for any.
func (s *Server) giveBack(ctx *fasthttp.RequestCtx, body []byte) {
	if cap(body) <= keptBody {
		ctx.Response.SwapBody(body[:0])
		return
	}
	s.keep(body)
}

// keptBody is how many bytes of memory at most a connection keeps for its next answer.
const keptBody = 64 << 10

// setBody makes body, which began as buffer's, the answer. Memory of a large one is kept for others when it is sent.
func setBody(ctx *fasthttp.RequestCtx, status int, body []byte) {
	switch {
	case cap(body) <= keptBody:
		ctx.Response.SwapBody(body)
	case len(body) == 0:
		ctx.Response.SwapBody(nil)
	default:
		ctx.Response.SetBodyRaw(body)
		if c, ok := ctx.Conn().(*connection); ok {
			c.body = body
		}
	}
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentType(contentType)
}

// setSharedBody makes a body the answer that must not be modified.
func setSharedBody(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.Response.SetBodyRaw(body)
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentType(contentType)
}
