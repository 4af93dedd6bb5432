//go:build !race

// The race detector makes pools forget at random, so that nothing can be said about allocations under it.

package ofrep

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/tokens"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// A single evaluation of a scalar flag allocates nothing once its memory is warm, stale or not: nothing is known of the age here.
func TestSingleEvaluationsDoNotAllocate(t *testing.T) {
	s := newHandler(t)
	for _, key := range []string{"static", "targeted", "rollout", "code", "missing", "tar%67eted", "bounded"} {
		var ctx fasthttp.RequestCtx
		ask(&ctx, key, contextBody)
		s.handle(&ctx)
		allocations := testing.AllocsPerRun(1000, func() {
			ctx.Response.Reset()
			s.handle(&ctx)
		})
		// The pools may be emptied by a garbage collection during the run, which rounds down to nothing.
		if allocations != 0 {
			t.Errorf("%s: %v allocations", key, allocations)
		}
		if key != "missing" && ctx.Response.StatusCode() != fasthttp.StatusOK {
			t.Errorf("%s: status %d", key, ctx.Response.StatusCode())
		}
	}
}

// Neither does telling a client that it has the answer for all flags already.
func TestUnchangedAnswersDoNotAllocate(t *testing.T) {
	s := newHandler(t)
	var ctx fasthttp.RequestCtx
	ask(&ctx, "", contextBody)
	ctx.Request.Header.Set("Flagd-Selector", "flagSetId=none") // that of a flag whose answer is stale here is not among them
	s.handle(&ctx)
	ctx.Request.Header.SetBytesV("If-None-Match", ctx.Response.Header.Peek("ETag"))
	allocations := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		s.handle(&ctx)
	})
	if allocations != 0 || ctx.Response.StatusCode() != fasthttp.StatusNotModified {
		t.Errorf("%v allocations, status %d", allocations, ctx.Response.StatusCode())
	}
}

// Nor does an answer for all flags, in contexts that are not those of the answers before, where nothing is remembered.
func TestBulkAnswersDoNotAllocate(t *testing.T) {
	counts, metrics := counting.New("shop"), prometheus.NewRegistry()
	long := strings.Repeat("long ", 300) // so its item is not kept
	path := filepath.Join(t.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(`{"flags":{"long":{"state":"ENABLED","variants":{"a":"`+long+`","b":"b"},"targeting":{"if":[{"var":"targetingKey"},"a","b"]}},
			"set":{"state":"ENABLED","variants":{"a":"`+long+`"},"defaultVariant":"a"},"rule":{"state":"ENABLED","variants":{"a":1,"b":2},"targeting":{"fractional":[["a",1],["b",1]]}},
			"plain":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newHandler(t, func(o *Options, store *cache.Store) {
		if err := store.LoadBootstrap(path); err != nil {
			t.Fatal(err)
		}
		var err error
		if o.Resolver, err = resolver.New(resolver.Options{Views: store, Usage: counts, AnswersMemory: -1, Metrics: metrics}); err != nil {
			t.Fatal(err)
		}
	})
	var ctx fasthttp.RequestCtx
	bodies := users(100)
	next := 0
	handle := func() {
		ask(&ctx, "", bodies[next%len(bodies)])
		next++
		ctx.Response.Reset()
		s.handle(&ctx)
	}
	for range bodies {
		handle()
	}
	asking := testing.AllocsPerRun(1000, func() { ask(&ctx, "", bodies[next%len(bodies)]) })
	if allocations := testing.AllocsPerRun(1000, handle) - asking; allocations != 0 || ctx.Response.StatusCode() != fasthttp.StatusOK {
		t.Errorf("%v allocations, status %d", allocations, ctx.Response.StatusCode())
	}
}

// Nor does looking at what browsers say about a request.
func TestHostsAndSitesDoNotAllocate(t *testing.T) {
	s := newHandler(t)
	for _, c := range []struct {
		host, site, origin string
		status             int
	}{
		{"127.0.0.1:8016", "", "", fasthttp.StatusOK},
		{"LOCALHOST", "same-origin", "http://LOCALHOST", fasthttp.StatusOK},
		{"[::1]:8016", "", "http://[::1]:8016", fasthttp.StatusOK},
		{"flags.shop:8016", "cross-site", "https://shop.example", fasthttp.StatusOK},
	} {
		var ctx fasthttp.RequestCtx
		ask(&ctx, "targeted", contextBody)
		ctx.Request.Header.SetHost(c.host)
		ctx.Request.Header.Set(fetchSite, c.site)
		ctx.Request.Header.Set(fasthttp.HeaderOrigin, c.origin)
		s.handle(&ctx)
		allocations := testing.AllocsPerRun(1000, func() {
			ctx.Response.Reset()
			s.handle(&ctx)
		})
		if allocations != 0 || ctx.Response.StatusCode() != c.status {
			t.Errorf("%v: %v allocations, status %d", c, allocations, ctx.Response.StatusCode())
		}
	}
}

// Asking for a token costs no allocation either.
func TestTokensDoNotAllocate(t *testing.T) {
	s := newHandler(t)
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("one-token\nother-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.tokens, err = tokens.Open(file, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	ask(&ctx, "targeted", contextBody)
	ctx.Request.Header.Set("Authorization", "Bearer other-token")
	s.handle(&ctx)
	allocations := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		s.handle(&ctx)
	})
	if allocations != 0 || ctx.Response.StatusCode() != fasthttp.StatusOK {
		t.Errorf("%v allocations, status %d", allocations, ctx.Response.StatusCode())
	}
}

// An exposure that was told before does not either, counted and with a key.
func TestRepeatedExposuresDoNotAllocate(t *testing.T) {
	key := filepath.Join(t.TempDir(), "exposure.key")
	if err := os.WriteFile(key, exposurekey.New().Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	counts, metrics := counting.New("shop"), prometheus.NewRegistry()
	recorder, err := events.New(events.Options{
		Environment: "test", Share: 1, Applications: counts.ApplicationName, KeyFile: key, Metrics: metrics, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newHandler(t, func(o *Options, store *cache.Store) {
		if o.Resolver, err = resolver.New(resolver.Options{Views: store, Usage: counts, Events: recorder, Metrics: metrics}); err != nil {
			t.Fatal(err)
		}
	})
	var ctx fasthttp.RequestCtx
	ask(&ctx, "exposed", contextBody)
	s.handle(&ctx)
	allocations := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		s.handle(&ctx)
	})
	if allocations != 0 || ctx.Response.StatusCode() != fasthttp.StatusOK || recorder.Waiting() != 1 {
		t.Errorf("%v allocations, status %d, %d exposures", allocations, ctx.Response.StatusCode(), recorder.Waiting())
	}
}

func BenchmarkSingle(b *testing.B) {
	s := newHandler(b)
	var ctx fasthttp.RequestCtx
	ask(&ctx, "targeted", contextBody)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handle(&ctx)
	}
}
