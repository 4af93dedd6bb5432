package gate

import (
	"bytes"
	"context"
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

// exchange is the working memory of one request, and then its answer. It is reused for others.
type exchange struct {
	request resolver.Request
	header  fasthttp.RequestHeader // of a visitor's request that came in a message
	message []byte                 // the answer as a message
	option  []byte                 // a part of it
	part    []byte                 // a part of that
	uri     fasthttp.URI
	context []byte
	values  []byte // of the fields, one after the other
	trace   []byte
	pin     []byte // the revision that the first flag was answered from
	get     func(name string) []byte
	set     map[string]struct{} // names of fields that are set or removed

	// The answer.
	fields  []field
	all     []byte   // the value of the field with all flags
	remove  []string // names of fields that must not reach the application
	cookie  string   // for a visitor that has none; empty if it keeps what it has
	caching string   // value of Cache-Control
	total   int      // bytes of fields of flags
}

// field is a field with a flag. Its value is a part of the values of its exchange.
type field struct {
	name     string
	from, to int
}

func newExchange() any {
	x := &exchange{set: make(map[string]struct{})}
	x.get = x.traceOnly
	return x
}

func (x *exchange) reset() {
	x.context, x.values, x.trace, x.all, x.remove, x.fields = x.context[:0], x.values[:0], nil, x.all[:0], x.remove[:0], x.fields[:0]
	x.cookie, x.caching, x.total = "", noStore, 0
	clear(x.set)
	x.uri.Reset()
}

// value returns the value of a field.
func (x *exchange) value(f field) []byte { return x.values[f.from:f.to] }

// answer makes the answer to a visitor's request with a header and a target, and returns how many flags were evaluated.
func (s *Server) answer(header *fasthttp.RequestHeader, target []byte, x *exchange) (evaluated int) {
	for bytes.HasPrefix(target, []byte("//")) {
		target = target[1:] // no host follows
	}
	if err := x.uri.Parse(nil, target); err != nil {
		x.uri.Reset()
		s.metrics.refused.Inc()
	}
	said := s.readContext(x.context, header, x.uri.QueryArgs())
	s.metrics.refused.Add(float64(said.refused))
	x.caching = s.caching
	var targetingKey []byte
	if s.visitors != nil && !said.keyed {
		var minted string
		if targetingKey, minted = s.visitor(header); minted != "" {
			x.cookie, x.caching = setCookie(s.options, minted), noStore
		}
	}
	x.context = said.close(targetingKey)
	x.trace = header.Peek(headerTrace)
	view := s.options.Views.View()
	evaluated = s.evaluate(x, view)
	s.removeKnown(x, view)
	s.removeSpoofed(header, x)
	return evaluated
}

// withoutFlags makes an answer that has no flags, and lets a visitor set none either.
func (s *Server) withoutFlags(x *exchange) {
	x.reset()
	s.removeKnown(x, s.options.Views.View())
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
func (s *Server) visitor(header *fasthttp.RequestHeader) (id []byte, minted string) {
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
func (s *Server) evaluate(x *exchange, view *cache.View) (evaluated int) {
	if view == nil {
		return 0
	}
	says := resolver.Headers{Get: x.get, Until: time.Now().Add(s.options.Deadline).UnixNano()}
	for _, t := range s.selection.targets(x.uri.Path(), view) {
		q := &x.request
		if err := s.options.Resolver.Begin(context.Background(), q, t.key, says); err != nil {
			s.metrics.failed.Inc()
			continue
		}
		if says.Pin == nil {
			x.pin = append(x.pin[:0], q.View().Revision()...)
			says.Pin = x.pin
		}
		result, err := q.Answer(x.context)
		if err == nil && known(&result) {
			s.setFlag(x, t, result.Variant.Name())
		}
		q.End()
		evaluated++
	}
	s.metrics.evaluations.Add(float64(evaluated))
	return evaluated
}

// traceOnly returns the field of a request that says which trace it belongs to. Nothing else that a visitor can write means anything here.
func (x *exchange) traceOnly(name string) []byte {
	if name == headerTrace {
		return x.trace
	}
	return nil
}

// setFlag makes the variant of a flag a field of the answer, if there is room for it.
func (s *Server) setFlag(x *exchange, t target, variant string) {
	f := field{name: t.name, from: len(x.values)}
	var ok bool
	x.values, ok = appendValue(x.values, variant)
	f.to = len(x.values)
	size := 2*(len(t.name)+f.to-f.from) + len(": \r\n") + len("=, ")
	if !ok || x.total+size > maxTotal {
		s.metrics.left.Inc()
		return
	}
	x.total += size
	x.fields = append(x.fields, f)
	x.set[t.name] = struct{}{}
	if len(x.all) > 0 {
		x.all = append(x.all, ", "...)
	}
	x.all = append(append(append(x.all, t.name[len(headerPrefix):]...), '='), x.value(f)...)
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

// removeSpoofed names the fields that a request has and that may be taken for flags, as far as there is room: what must go in any case is named before.
func (s *Server) removeSpoofed(header *fasthttp.RequestHeader, x *exchange) {
	room := maxSpoofed
	for name := range header.All() {
		if !isFlagHeader(name) {
			continue
		}
		s.metrics.spoofed.Inc()
		lower := bytes.ToLower(name)
		if string(lower) == allHeader || !isToken(lower) || len(lower)+len(", ") > room {
			continue
		}
		room -= len(lower) + len(", ")
		x.removeName(string(lower))
	}
}

// removeName adds a name, unless the answer sets that field or names it already.
func (x *exchange) removeName(name string) {
	if _, done := x.set[name]; done {
		return
	}
	x.set[name] = struct{}{}
	x.remove = append(x.remove, name)
}

// record writes a debug line about a request.
func (s *Server) record(x *exchange, face string, evaluated int) {
	if !s.verbose {
		return
	}
	event := s.options.Logger.Debug().Str("face", face)
	if trace, span := resolver.Trace(x.trace); trace != "" {
		event.Str("trace_id", trace).Str("span_id", span)
	}
	event.Int("flags", evaluated).Int("headers_set", len(x.fields)).Int("headers_removed", len(x.remove)).Bool("visitor_new", x.cookie != "").Msg("gate answered")
}
