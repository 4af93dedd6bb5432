package ofrep

import (
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
)

// afford takes of the budget what an answer for all flags occupies until its client has taken it. It reports whether there is as much.
func (s *Server) afford(ctx *fasthttp.RequestCtx, body []byte) bool {
	c, ok := ctx.Conn().(*connection)
	if !ok { // nothing is written to a network
		return true
	}
	taken, ok := s.budget.Take(int64(cap(body)))
	if !ok {
		s.busy.Inc()
	}
	c.taken += taken
	return ok
}

// refuseBusy answers that there is no memory for an answer now.
func refuseBusy(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	fail(ctx, fasthttp.StatusServiceUnavailable, nil, eval.ErrorGeneral,
		"too many answers wait on this port, because clients do not read them: try again")
}

// settled gives back what was taken of the budget for answers that are written, and their memory.
func (c *connection) settled() {
	if c.body != nil {
		c.server.keep(c.body)
		c.body = nil
	}
	if c.taken > 0 {
		c.server.budget.Release(c.taken)
		c.taken = 0
	}
}
