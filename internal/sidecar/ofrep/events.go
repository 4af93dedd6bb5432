package ofrep

import (
	"errors"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// eventsPath is the path at which applications tell what happened.
const eventsPath = "/v1/events"

// isEvents reports whether a request target is that path.
func isEvents(target []byte) bool { return string(pathOf(target)) == eventsPath }

// takeEvents takes over events of an application. It answers 202 with how many were accepted.
func (s *Server) takeEvents(ctx *fasthttp.RequestCtx) {
	switch {
	case !ctx.IsPost():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
		failEvents(ctx, fasthttp.StatusMethodNotAllowed, "events are told with POST")
		return
	case isEncoded(&ctx.Request.Header):
		refuseEncoded(ctx)
		return
	case len(ctx.PostBody()) > events.MaxBody:
		failEvents(ctx, fasthttp.StatusRequestEntityTooLarge, "the body has more than "+strconv.Itoa(events.MaxBody)+" bytes: send fewer events at once")
		return
	}
	all, err := events.Parse(ctx.PostBody())
	if err != nil {
		failEvents(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	accepted, err := s.resolver.Tell(all, ctx.Request.Header.Peek(resolver.HeaderApplication))
	switch {
	case errors.Is(err, events.ErrFull):
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "10")
		failEvents(ctx, fasthttp.StatusServiceUnavailable, err.Error())
	case errors.Is(err, events.ErrRate):
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "60")
		failEvents(ctx, fasthttp.StatusTooManyRequests, err.Error())
	case err != nil:
		failEvents(ctx, fasthttp.StatusNotFound, err.Error())
	default:
		setBody(ctx, fasthttp.StatusAccepted, appendTaken(buffer(ctx), accepted, len(all)-accepted))
	}
}

func failEvents(ctx *fasthttp.RequestCtx, status int, details string) {
	fail(ctx, status, nil, eval.ErrorGeneral, details)
}

func appendTaken(dst []byte, accepted, ignored int) []byte {
	dst = strconv.AppendInt(append(dst, `{"accepted":`...), int64(accepted), 10)
	dst = strconv.AppendInt(append(dst, `,"ignored":`...), int64(ignored), 10)
	return append(dst, '}')
}
