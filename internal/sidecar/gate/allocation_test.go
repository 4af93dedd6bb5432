//go:build !race

// The race detector allocates by itself.

package gate_test

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/gate"
)

// allSources has everything that is read of a request.
func allSources() gate.Options {
	return gate.Options{
		Flags: map[string]string{"/": "where", "/shop": "new-checkout,split,where,off,missing"}, VisitorKeyFile: "keys",
		Headers: map[string]string{"X-Plan": "plan"}, Cookies: map[string]string{"city": "city"}, Queries: map[string]string{"c": "c"},
	}
}

// request is one of a visitor who has been here before.
func request(t testing.TB, s *gate.Server) *fasthttp.RequestCtx {
	t.Helper()
	first := new(fasthttp.RequestCtx)
	first.Request.SetRequestURI(gate.Path + "/shop")
	s.Handle(first)
	cookie := cookieOf(string(first.Response.Header.Peek("Set-Cookie")))
	if cookie == "" {
		t.Fatalf("no cookie: %s", &first.Response.Header)
	}
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI(gate.Path + "/shop/cart%20of/mine?c=1&d=2")
	for name, value := range map[string]string{
		"Host": "shop.example", "X-Plan": "gold", "Accept": "text/html", "User-Agent": "a browser", "Accept-Language": "de",
		"Cookie": "a=b; city=Berlin; " + cookie, "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		ctx.Request.Header.Set(name, value)
	}
	return ctx
}

// An answer takes no memory but that of the connection: flags are read, evaluated and written in what is there already.
func TestAnswersDoNotAllocate(t *testing.T) {
	s := newServer(t, allSources())
	ctx := request(t, s)
	allocations := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		s.Handle(ctx)
	})
	if got := string(ctx.Response.Header.Peek("X-Flag-New-Checkout")); got != "on" || ctx.Response.Header.Peek("Set-Cookie") != nil {
		t.Errorf("answered %s", &ctx.Response.Header)
	}
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// A message is read where it lies: an answer is the one allocation.
func TestMessagesAllocateTheirAnswer(t *testing.T) {
	s := newServer(t, allSources())
	ctx := request(t, s)
	message := checkRequest("/shop/cart", "x-plan", "gold", "accept", "text/html", "cookie", string(ctx.Request.Header.Peek("Cookie")), ":method", "GET")
	if got := readAnswer(t, s.AnswerMessage(message)); got.set["x-flag-new-checkout"] != "on" || len(got.cookies) > 0 {
		t.Errorf("answered %+v", got)
	}
	if allocations := testing.AllocsPerRun(1000, func() { s.AnswerMessage(message) }); allocations > 2 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkHTTP(b *testing.B) {
	s := newServer(b, allSources())
	ctx := request(b, s)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.Handle(ctx)
	}
}

func BenchmarkMessage(b *testing.B) {
	s := newServer(b, allSources())
	message := checkRequest("/shop/cart", "x-plan", "gold", "cookie", string(request(b, s).Request.Header.Peek("Cookie")))
	b.ReportAllocs()
	for b.Loop() {
		s.AnswerMessage(message)
	}
}
