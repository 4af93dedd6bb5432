package gate

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

const (
	// Path is where the gate is. What follows it in the target of a request is the path and the query of the visitor's request.
	Path = "/v1/gate"
	// headerForwarded has them in requests of proxies that do not append them.
	headerForwarded = "X-Forwarded-Uri"
	headerTrace     = "Traceparent"
	noStore         = "no-store"
)

// exchange is the working memory of one request, reused for others.
type exchange struct {
	request resolver.Request
	uri     fasthttp.URI
	context []byte
	value   []byte
	all     []byte // the value of the field with all flags
	remove  []byte // the names of fields that must not reach the application
	set     map[string]struct{}
	total   int // bytes of fields of flags in the answer
}

func newExchange() any { return &exchange{set: make(map[string]struct{})} }

func (x *exchange) reset() {
	x.context, x.value, x.all, x.remove, x.total = x.context[:0], x.value[:0], x.all[:0], x.remove[:0], 0
	clear(x.set)
	x.uri.Reset()
}

// answer makes the answer to a request.
func (s *Server) answer(ctx *fasthttp.RequestCtx, x *exchange) {
	x.reset()
	header := &ctx.Request.Header
	if err := x.uri.Parse(nil, original(header)); err != nil {
		x.uri.Reset()
		s.metrics.refused.Inc()
	}
	said := s.readContext(x.context, header, x.uri.QueryArgs())
	s.metrics.refused.Add(float64(said.refused))
	caching := s.caching
	targetingKey := ""
	if s.visitors != nil && !said.keyed {
		var minted string
		if targetingKey, minted = s.visitor(header); minted != "" {
			ctx.Response.Header.Set(fasthttp.HeaderSetCookie, setCookie(s.options, minted))
			caching = noStore
		}
	}
	x.context = said.close(targetingKey)
	view := s.options.Views.View()
	evaluated := s.evaluate(ctx, x, view)
	s.removeOthers(header, x, view)
	if len(x.all) > 0 {
		ctx.Response.Header.SetBytesV(allHeader, x.all)
	}
	if len(x.remove) > 0 {
		ctx.Response.Header.SetBytesV(removeHeader, x.remove)
	}
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, caching)
	s.record(header, evaluated)
}

// withoutFlags makes an answer that has no flags, and lets a visitor set none either.
func (s *Server) withoutFlags(ctx *fasthttp.RequestCtx) {
	ctx.Response.Reset()
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, noStore)
	x := newExchange().(*exchange)
	s.removeKnown(x, s.options.Views.View())
	ctx.Response.Header.SetBytesV(removeHeader, x.remove)
}

// original returns the path and the query of the visitor's request: what follows the path of the gate, otherwise what the proxy says in a field
// of its own.
func original(header *fasthttp.RequestHeader) []byte {
	target := header.RequestURI()
	rest, below := bytes.CutPrefix(target, []byte(Path))
	if !below {
		return target
	}
	forwarded := header.Peek(headerForwarded)
	if len(forwarded) == 0 || bytes.HasPrefix(rest, []byte("/")) { // a proxy that appends the path sends what visitors say in fields
		return rest
	}
	return forwarded
}

// visitor returns the id in the cookie of a visitor, or a new one with the value of the cookie that keeps it.
func (s *Server) visitor(header *fasthttp.RequestHeader) (id, minted string) {
	cookie := header.Cookie(s.options.Cookie)
	if id, ok := s.visitors.id(cookie); ok {
		return id, ""
	}
	if len(cookie) > 0 {
		s.metrics.forged.Inc()
	}
	s.metrics.minted.Inc()
	return s.visitors.mint()
}

// evaluate evaluates the flags for a request, sets a field for each that has a value, and returns how many were evaluated. All but kill switches
// are answered from the revision that the first was answered from, as long as the sidecar keeps it.
func (s *Server) evaluate(ctx *fasthttp.RequestCtx, x *exchange, view *cache.View) (evaluated int) {
	if view == nil {
		return 0
	}
	limited, cancel := context.WithTimeout(context.Background(), s.options.Deadline)
	defer cancel()
	says := resolver.Headers{Get: func(name string) []byte { return traceOnly(ctx, name) }}
	for _, t := range s.selection.targets(string(x.uri.Path()), view) {
		q := &x.request
		if err := s.options.Resolver.Begin(limited, q, []byte(t.key), says); err != nil {
			s.metrics.failed.Inc()
			continue
		}
		if says.Pin == nil {
			says.Pin = []byte(q.View().Revision())
		}
		result, err := q.Answer(x.context)
		if err == nil && known(&result) {
			s.setFlag(ctx, x, t, result.Variant.Name())
		}
		q.End()
		evaluated++
	}
	s.metrics.evaluations.Add(float64(evaluated))
	return evaluated
}

// traceOnly returns the field of a request that says which trace it belongs to. Nothing else that a visitor can write means anything here.
func traceOnly(ctx *fasthttp.RequestCtx, name string) []byte {
	if name == headerTrace {
		return ctx.Request.Header.Peek(name)
	}
	return nil
}

// setFlag makes the variant of a flag a field of the answer, if there is room for it.
func (s *Server) setFlag(ctx *fasthttp.RequestCtx, x *exchange, t target, variant string) {
	var ok bool
	x.value, ok = appendValue(x.value[:0], variant)
	size := 2*(len(t.name)+len(x.value)) + len(": \r\n") + len("=, ")
	if !ok || x.total+size > maxTotal {
		s.metrics.left.Inc()
		return
	}
	x.total += size
	ctx.Response.Header.SetBytesV(t.name, x.value)
	x.set[t.name] = struct{}{}
	if len(x.all) > 0 {
		x.all = append(x.all, ", "...)
	}
	x.all = append(append(append(x.all, t.name[len(headerPrefix):]...), '='), x.value...)
}

// removeOthers names the fields that an application must not get: those of flags without a value, for which there is always room, and then those
// that the request has and no flag, as far as there is room.
func (s *Server) removeOthers(header *fasthttp.RequestHeader, x *exchange, view *cache.View) {
	s.removeKnown(x, view)
	room := len(x.remove) + maxSpoofed
	for name := range header.All() {
		lower := strings.ToLower(string(name))
		if !isFlagHeader(lower) {
			continue
		}
		s.metrics.spoofed.Inc()
		if lower != allHeader && isToken(lower) && len(x.remove)+len(lower) < room {
			x.removeName(lower)
		}
	}
}

// removeKnown names the fields of flags that the answer does not set.
func (s *Server) removeKnown(x *exchange, view *cache.View) {
	for _, t := range s.selection.all(view) {
		x.removeName(t.name)
	}
	if len(x.all) == 0 {
		x.removeName(allHeader)
	}
}

// maxSpoofed is how many bytes the names of fields take that visitors made up.
const maxSpoofed = 512

// removeName adds a name, unless the answer sets that field or names it already.
func (x *exchange) removeName(name string) {
	if _, done := x.set[name]; done {
		return
	}
	x.set[name] = struct{}{}
	if len(x.remove) > 0 {
		x.remove = append(x.remove, ", "...)
	}
	x.remove = append(x.remove, name...)
}

// isToken reports whether a name consists of what such names consist of.
func isToken(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// record writes a debug line about a request.
func (s *Server) record(header *fasthttp.RequestHeader, evaluated int) {
	if !s.verbose {
		return
	}
	event := s.options.Logger.Debug()
	if trace, span := resolver.Trace(header.Peek(headerTrace)); trace != "" {
		event.Str("trace_id", trace).Str("span_id", span)
	}
	event.Int("flags", evaluated).Msg("gate answered")
}

// seconds returns a time as Cache-Control has it.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
