package gate

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/telemetry"
)

// assembleHTTP makes the server for requests of HTTP/1.1.
func (s *Server) assembleHTTP() {
	s.http = fasthttp.Server{
		Handler: s.handle, ErrorHandler: s.malformed, Logger: discardLogger{}, SecureErrorLogMessage: true, ReadBufferSize: maxHeader,
		MaxRequestBodySize: maxBody, ReadTimeout: readTimeout, WriteTimeout: readTimeout, IdleTimeout: idleTimeout, NoDefaultServerHeader: true,
		NoDefaultDate: true, NoDefaultContentType: true, MaxIdleWorkerDuration: time.Second, // a goroutine outlives Run by as much
		DisablePreParseMultipartForm: true, CloseOnShutdown: true, HeaderReceived: expectNothing,
	}
}

// expectNothing takes from a request what would be answered before it is: proxies take the first answer for the last.
func expectNothing(header *fasthttp.RequestHeader) (same fasthttp.RequestConfig) {
	header.Del(fasthttp.HeaderExpect)
	return same
}

// handle answers one request. It must not keep anything of ctx.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	began := time.Now()
	defer s.recoverPanic(ctx)
	x := s.exchanges.Get().(*exchange)
	x.reset()
	evaluated := s.answer(&ctx.Request.Header, original(&ctx.Request.Header), x)
	x.write(&ctx.Response.Header)
	s.record(x, faceHTTP, evaluated)
	s.exchanges.Put(x)
	s.metrics.http.Observe(time.Since(began).Seconds())
}

// write makes the answer the header of a response.
func (x *exchange) write(header *fasthttp.ResponseHeader) {
	for _, f := range x.fields {
		header.SetBytesV(f.name, x.value(f))
	}
	if len(x.all) > 0 {
		header.SetBytesV(allHeader, x.all)
	}
	if len(x.remove) > 0 {
		x.values = x.values[:0]
		for i, name := range x.remove {
			if i > 0 {
				x.values = append(x.values, ", "...)
			}
			x.values = append(x.values, name...)
		}
		header.SetBytesV(removeHeader, x.values)
	}
	if x.cookie != "" {
		header.Set(fasthttp.HeaderSetCookie, x.cookie)
	}
	header.Set(fasthttp.HeaderCacheControl, x.caching)
}

// recoverPanic turns a panic into an answer without flags.
func (s *Server) recoverPanic(ctx *fasthttp.RequestCtx) {
	if v := recover(); v != nil {
		s.logPanic(v)
		s.answerWithoutFlags(ctx)
	}
}

func (s *Server) logPanic(v any) {
	s.metrics.panics.Inc()
	telemetry.OfPanic(s.options.Logger.Error(), v).Msg("gate request failed because of a bug in the sidecar: please report it")
}

// malformed answers what is no request: without flags, and with the end of the connection.
func (s *Server) malformed(ctx *fasthttp.RequestCtx, _ error) {
	s.metrics.broken.Inc()
	s.answerWithoutFlags(ctx)
	ctx.SetConnectionClose()
}

func (s *Server) answerWithoutFlags(ctx *fasthttp.RequestCtx) {
	ctx.Response.Reset()
	x := newExchange().(*exchange)
	s.withoutFlags(x)
	x.write(&ctx.Response.Header)
}

// discardLogger drops what fasthttp would log: errors of single connections, which concern the client.
type discardLogger struct{}

// Printf does nothing.
func (discardLogger) Printf(string, ...any) {}
