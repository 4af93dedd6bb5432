package ofrep

import (
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/tokens"
)

// lacksToken reports whether a request lacks a token that it needs.
func (s *Server) lacksToken(header *fasthttp.RequestHeader) bool {
	return s.tokens != nil && !s.tokens.Admit(header.Peek(fasthttp.HeaderAuthorization), header.Peek(tokens.APIKeyHeader))
}

// refuseUnauthorized answers a request without a valid token.
func refuseUnauthorized(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, tokens.Challenge)
	refuse(ctx, fasthttp.StatusUnauthorized)
}
