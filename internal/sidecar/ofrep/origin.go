package ofrep

import (
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/origin"
)

// The header field in which browsers say which site a page is of, in relation to the one that it asks.
const fetchSite = "Sec-Fetch-Site"

// misdirected returns the status to refuse a request with that a browser sends for a page that may not ask here; 0 if there is no reason to. No
// browser reaches a Unix socket.
func (s *Server) misdirected(ctx *fasthttp.RequestCtx, f *fields) int {
	if s.policy == nil || ctx.LocalAddr().Network() == "unix" {
		return 0
	}
	status, _ := origin.Refusal(s.policy, ctx.Request.Header.Host(), f.site, f.origin)
	return status
}

// toldByPage reports whether a browser tells something about usage for a page of another site that may not ask here. In contrast to evaluations, whose
// answers such a page cannot read, that leaves something behind; so it is refused at every address, also where no Host is asked for.
func (s *Server) toldByPage(ctx *fasthttp.RequestCtx, f *fields) bool {
	if ctx.LocalAddr().Network() == "unix" {
		return false
	}
	return !origin.SiteAllowed(s.pages, f.site, f.origin, ctx.Request.Header.Host())
}
