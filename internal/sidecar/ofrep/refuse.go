package ofrep

import (
	"bytes"
	"errors"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/origin"
)

// refuse answers a request that is no evaluation, and closes its connection: what follows on it may be a rest of that request.
func refuse(ctx *fasthttp.RequestCtx, status int) {
	fail(ctx, status, nil, eval.ErrorGeneral, refusal(status))
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*connection); ok {
		c.linger = true
	}
}

// fail makes a failure the answer. A nil key is left out.
func fail(ctx *fasthttp.RequestCtx, status int, key []byte, code eval.ErrorCode, details string) {
	setBody(ctx, status, appendFailure(buffer(ctx), key, code, details, nil))
}

// failEvaluation makes why a request cannot be evaluated the answer, and counts that. A nil key is left out.
func (s *Server) failEvaluation(ctx *fasthttp.RequestCtx, key []byte, err error) {
	code := codeOf(err)
	s.resolver.Fail(code)
	fail(ctx, statusOfRequest(err), key, code, err.Error())
}

// isEncoded reports whether a request body is compressed or otherwise encoded. Unpacking it could take far more memory than was sent.
func isEncoded(header *fasthttp.RequestHeader) bool {
	coding := header.ContentEncoding()
	return len(coding) > 0 && !bytes.EqualFold(coding, []byte("identity"))
}

// refuseEncoded answers a request with an encoded body, and says which encoding would do (RFC 9110, section 15.5.16).
func refuseEncoded(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderAcceptEncoding, "identity")
	fail(ctx, fasthttp.StatusUnsupportedMediaType, nil, eval.ErrorGeneral, refusal(fasthttp.StatusUnsupportedMediaType))
}

// refusal returns the sentence that goes with a status.
func refusal(status int) string {
	switch status {
	case fasthttp.StatusUnauthorized:
		return "evaluations need a token, as Authorization: Bearer or as X-API-Key, and this request has none that is known"
	case fasthttp.StatusForbidden:
		return origin.WrongSite + " with --cors-origin"
	case fasthttp.StatusMisdirectedRequest:
		return origin.WrongHost
	case fasthttp.StatusNotFound:
		return "there is nothing at this path: evaluations are at " + basePath + " and " + basePath + "/{key}, counts of clients that evaluate by themselves at " + evaluationsPath +
			", events at " + eventsPath
	case fasthttp.StatusMethodNotAllowed:
		return "evaluations are requested with POST"
	case fasthttp.StatusRequestTimeout:
		return "the request did not arrive in time"
	case fasthttp.StatusRequestEntityTooLarge:
		return "the request body is too large"
	case fasthttp.StatusUnsupportedMediaType:
		return "the request body is compressed: send it as plain JSON, without Content-Encoding"
	case fasthttp.StatusTooManyRequests:
		return "there are too many connections: keep them open and use them again"
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		return "the request header is too large"
	case fasthttp.StatusHTTPVersionNotSupported:
		return "only HTTP/1.1 and HTTP/1.0 are spoken here"
	case fasthttp.StatusInternalServerError:
		return "the request failed because of a bug in the sidecar, whose log has the details: please report it"
	default:
		return "the request is not well-formed HTTP/1.1"
	}
}

// receiveError answers a request that could not be read to its end.
func receiveError(ctx *fasthttp.RequestCtx, err error) {
	refuse(ctx, receiveStatus(ctx, err))
}

func receiveStatus(ctx *fasthttp.RequestCtx, err error) int {
	if c, ok := ctx.Conn().(*connection); ok && c.http2 {
		return fasthttp.StatusHTTPVersionNotSupported
	}
	if _, small := errors.AsType[*fasthttp.ErrSmallBuffer](err); small {
		return fasthttp.StatusRequestHeaderFieldsTooLarge
	}
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		return fasthttp.StatusRequestEntityTooLarge
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return fasthttp.StatusRequestTimeout
	}
	return fasthttp.StatusBadRequest
}

// framingProblem returns the status to refuse a request with whose begin and end, or those of the next one on its connection, cannot
// be trusted; 0 if they can. It catches what fasthttp accepts: another version of HTTP, and a body that has both a length and a transfer
// coding (RFC 9112, section 6.1).
func framingProblem(ctx *fasthttp.RequestCtx) int {
	header := &ctx.Request.Header
	if !header.IsHTTP11() && string(header.Protocol()) != "HTTP/1.0" {
		return fasthttp.StatusHTTPVersionNotSupported
	}
	if header.ContentLength() > 0 {
		return 0 // a transfer coding would have taken the place of the length
	}
	if raw := header.RawHeaders(); hasField(raw, "transfer-encoding") && hasField(raw, "content-length") {
		return fasthttp.StatusBadRequest
	}
	return 0
}

// hasField reports whether a header section has a field with the lower-case name.
func hasField(section []byte, name string) bool {
	for line := range bytes.Lines(section) {
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return true
		}
	}
	return false
}
