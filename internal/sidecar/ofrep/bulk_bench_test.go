package ofrep

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/examples/flagset"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// visitor is a context like those of bench/http; its targeting key is a number.
const visitor = `{"targetingKey":"0000000000","email":"a.person@shop.example","country":"DE","tier":"gold","platform":"android","orders":42,` +
	`"basket":119.5,"appVersion":"3.11.2","employee":false,"locale":"de-DE"}`

// visitors is a connection on which the same request arrives, each time for another visitor.
type visitors struct {
	endless

	digits []byte // in the request
}

func (c *visitors) Read(p []byte) (int, error) {
	for i := len(c.digits) - 1; i >= 0; i-- {
		if c.digits[i]++; c.digits[i] <= '9' {
			break
		}
		c.digits[i] = '0'
	}
	return c.endless.Read(p)
}

// newCounting returns a server with 1,000 made-up flags of all kinds that counts usage and remembers answers.
func newCounting(b *testing.B) *Server {
	b.Helper()
	path := filepath.Join(b.TempDir(), "flags.json")
	if err := os.WriteFile(path, flagset.Generate(1000, 1), 0o600); err != nil {
		b.Fatal(err)
	}
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	if err := store.LoadBootstrap(path); err != nil {
		b.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	r, err := resolver.New(resolver.Options{Views: store, Usage: counting.New("shop"), Metrics: metrics})
	if err != nil {
		b.Fatal(err)
	}
	run(b, r.Run)
	s, err := New(Options{Resolver: r, Metrics: metrics, Logger: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	s.policy = origin.For(loopback, nil, nil)
	return s
}

// Answers for all of 1,000 flags: each time to a visitor that never came before, to the same one again, and to one that has the answer.
func BenchmarkBulkVisitors(b *testing.B) {
	for _, kind := range []string{"new", "again", "known"} {
		b.Run(kind, func(b *testing.B) {
			s := newCounting(b)
			request := raw("", visitor)
			var ctx fasthttp.RequestCtx
			ask(&ctx, "", `{"context":`+visitor+`}`)
			s.handle(&ctx)
			c := &visitors{endless: endless{b: b}}
			switch kind {
			case "new":
				at := bytes.Index(request, []byte("0000000000"))
				c.digits = request[at : at+10]
			case "known":
				known := append([]byte("\r\nIf-None-Match: "), ctx.Response.Header.Peek(fasthttp.HeaderETag)...)
				end := bytes.Index(request, []byte("\r\n\r\n"))
				request = slices.Concat(request[:end], known, request[end:])
			}
			c.requests = [][]byte{request}
			served := &connection{Conn: c, server: s}
			served.place, _ = s.places.Take(served.holder, func() {})
			measuredWay(b, func() error { return s.http.ServeConn(served) })
		})
	}
}
