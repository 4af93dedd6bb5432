package ofrep

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/examples/flagset"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// visitor returns a context like those of bench/http: each visitor is seldom like the one before.
func visitor(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	return fmt.Sprintf(`{"targetingKey":"0000000000","email":"%s","country":"%s","tier":"%s","platform":"%s","orders":%d,"postcode":"%05d","appVersion":"%d.%d.%d",`+
		`"language":"%s","session":"%010x"}`,
		pick("a.person@shop.example", "b.other@mail.example"), pick("DE", "DE", "DE", "AT", "CH", "FR", "NL", "US"), pick("none", "none", "silver", "gold"),
		pick("android", "ios", "web", "web"), r.IntN(100), r.IntN(99_999), 6+r.IntN(3), r.IntN(20), r.IntN(10), pick("de", "de", "de", "en", "fr"), r.Uint64N(1<<40))
}

// visitors is a connection on which requests arrive, each for a visitor who never came before.
type visitors struct {
	endless

	digits [][]byte // in the requests, of the number of the visitor
}

func (c *visitors) Read(p []byte) (int, error) {
	digits := c.digits[(c.next+1)%len(c.digits)]
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i]++; digits[i] <= '9' {
			break
		}
		digits[i] = '0'
	}
	return c.endless.Read(p)
}

// newCounting returns a server with 1,000 made-up flags of all kinds that counts usage and remembers answers.
func newCounting(b *testing.B) *Server {
	b.Helper()
	s, _ := newServing(b, flagset.Generate(1000, 1), resolver.Options{Usage: counting.New("shop")})
	return s
}

// Answers for all of 1,000 flags: each time to a visitor that never came before, to the same one again, and to one that has the answer.
func BenchmarkBulkVisitors(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	one := visitor(random)
	b.Run("new", func(b *testing.B) {
		c := &visitors{endless: endless{b: b}}
		for range 255 {
			request := raw("", visitor(random))
			at := bytes.Index(request, []byte("0000000000"))
			c.requests, c.digits = append(c.requests, request), append(c.digits, request[at:at+10])
		}
		benchmarkBulk(b, newCounting(b), c)
	})
	b.Run("again", func(b *testing.B) {
		benchmarkBulk(b, newCounting(b), &endless{b: b, requests: [][]byte{raw("", one)}})
	})
	b.Run("known", func(b *testing.B) {
		s := newCounting(b)
		var ctx fasthttp.RequestCtx
		ask(&ctx, "", `{"context":`+one+`}`)
		s.handle(&ctx)
		known := append([]byte("\r\nIf-None-Match: "), ctx.Response.Header.Peek(fasthttp.HeaderETag)...)
		request := raw("", one)
		end := bytes.Index(request, []byte("\r\n\r\n"))
		benchmarkBulk(b, s, &endless{b: b, requests: [][]byte{slices.Concat(request[:end], known, request[end:])}})
	})
}

func benchmarkBulk(b *testing.B, s *Server, c net.Conn) {
	b.Helper()
	served := &connection{Conn: c, server: s}
	served.place, _ = s.places.Take(served.holder, func() {})
	measuredWay(b, func() error { return s.http.ServeConn(served) })
}
