package ofrep

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// newHandler returns a server with the flags of flagFile, to be called without a network.
func newHandler(tb testing.TB, adjust ...func(*Options, *cache.Store)) *Server {
	tb.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	path := filepath.Join(tb.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(flagFile), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := store.LoadBootstrap(path); err != nil {
		tb.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	r, err := resolver.New(resolver.Options{Views: store, Metrics: metrics})
	if err != nil {
		tb.Fatal(err)
	}
	o := Options{Resolver: r, Metrics: metrics, Logger: zerolog.Nop()}
	for _, do := range adjust {
		do(&o, store)
	}
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	s.policy = origin.For(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, []string{"flags.shop"}, []string{"https://shop.example"})
	return s
}

// ask makes ctx a question about the flag with the key, or about all flags if it is empty.
func ask(ctx *fasthttp.RequestCtx, key, body string) {
	ctx.Request.Header.SetHost("localhost:8016")
	ctx.Request.Header.SetMethod(fasthttp.MethodPost)
	ctx.Request.SetRequestURI(basePath + "/" + key)
	ctx.Request.SetBodyString(body)
}

const flagFile = `{"flags":{
  "static":   {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"},
  "targeted": {"state":"ENABLED","variants":{"gold":"g","free":"f"},"defaultVariant":"free",
               "targeting":{"if":[{"in":[{"var":"plan"},["gold","platinum"]]},"gold","free"]}},
  "rollout":  {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a",
               "targeting":{"fractional":[["a",50],["b",50]]}},
  "exposed":  {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","exposures":true,
               "targeting":{"fractional":[["a",50],["b",50]]}},
  "code":     {"state":"ENABLED","variants":{"on":true},"defaultVariant":null},
  "bounded":  {"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","maxStaleness":"3s"}
}}`

const contextBody = `{"context":{"targetingKey":"5c3d8535-f81a-4478-a6d3-afaa4d51199e","plan":"gold","country":"de",` +
	`"email":"jane@company.com","version":"1.4.2","age":42,"beta":true}}`
