package ofrep

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// anyOrigin lets pages of every origin ask.
const anyOrigin = "*"

// The header fields that pages may always send, those of tracing included, and those of answers that they may read.
const (
	corsRequestFields = "Authorization, Content-Type, Flagd-Selector, Flagside-Application, Flagside-Freshness, Flagside-Min-Revision, Flagside-Pin-Mode, " +
		"Flagside-Pin-Revision, If-None-Match, Last-Event-ID, X-API-Key, traceparent, tracestate, baggage"
	corsResponseFields = "ETag, Flagside-Revision, Retry-After"
	corsMethods        = "GET, POST"
	corsMaxAge         = "600" // seconds
)

// ValidateOrigins returns why browsers could never send one of the origins, nil if they could. An origin is "*" or like
// https://shop.example:8443.
func ValidateOrigins(origins []string) error {
	for _, origin := range origins {
		if origin == anyOrigin {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return fmt.Errorf("%q is neither * nor an origin such as https://shop.example", origin)
		}
	}
	return nil
}

// allowOrigin lets the page that asks read the answer, if it is of an origin that may.
func (s *Server) allowOrigin(ctx *fasthttp.RequestCtx) (allowed bool) {
	if len(s.origins) == 0 {
		return false
	}
	header := &ctx.Response.Header
	origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin)
	if slices.Contains(s.origins, anyOrigin) {
		header.Set(fasthttp.HeaderAccessControlAllowOrigin, anyOrigin)
	} else {
		header.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
		if !slices.Contains(s.origins, string(origin)) {
			return false
		}
		header.SetBytesV(fasthttp.HeaderAccessControlAllowOrigin, origin)
	}
	header.Set(fasthttp.HeaderAccessControlExposeHeaders, corsResponseFields)
	return len(origin) > 0
}

// isPreflight reports whether a browser asks what a page may ask.
func isPreflight(ctx *fasthttp.RequestCtx) bool {
	return ctx.IsOptions() && len(ctx.Request.Header.Peek(fasthttp.HeaderAccessControlRequestMethod)) > 0
}

// requestFields lists the header fields that pages may send, with those that become attributes of contexts.
func requestFields(contextHeaders []string) string {
	return strings.Join(append([]string{corsRequestFields}, slices.Sorted(slices.Values(contextHeaders))...), ", ")
}

// answerPreflight says what pages of an allowed origin may ask.
func (s *Server) answerPreflight(ctx *fasthttp.RequestCtx) {
	header := &ctx.Response.Header
	header.Set(fasthttp.HeaderAccessControlAllowMethods, corsMethods)
	header.Set(fasthttp.HeaderAccessControlAllowHeaders, s.requestFields)
	header.Set(fasthttp.HeaderAccessControlMaxAge, corsMaxAge)
	ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
}
