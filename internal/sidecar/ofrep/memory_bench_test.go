package ofrep

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// newRemembering returns a server with n flags of which a third has a rule, without a network and with a running resolver, and its
// metrics.
func newRemembering(b *testing.B, n int, memory int64) (*Server, *prometheus.Registry) {
	b.Helper()
	var file strings.Builder
	file.WriteString(`{"flags":{`)
	for i := range n {
		if i > 0 {
			file.WriteByte(',')
		}
		rule := ""
		if i%3 == 0 {
			rule = `,"targeting":{"if":[{"in":[{"var":"plan"},["gold","platinum"]]},"on",{"fractional":[["on",50],["off",50]]}]}`
		}
		fmt.Fprintf(&file, `"flag-%05d":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"%s}`, i, rule)
	}
	file.WriteString("}}")
	return newServing(b, []byte(file.String()), resolver.Options{AnswersMemory: memory})
}

// hits returns how many bulk answers came from memory.
func hits(b *testing.B, metrics *prometheus.Registry) float64 {
	b.Helper()
	families, err := metrics.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "flagside_bulk_cache_lookups_total" {
			return family.GetMetric()[0].GetCounter().GetValue() // the series are in the order of their labels: hit, miss
		}
	}
	return 0
}

// run runs something until the benchmark ends, and gives it a moment to begin.
func run(b *testing.B, something func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- something(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	time.Sleep(20 * time.Millisecond)
}

// measured runs the loop of a benchmark and reports the time of the processors that it took, all goroutines together, which other
// programs on the machine do not lengthen as they do the time of the clock.
func measured(b *testing.B, do func(i int)) {
	b.Helper()
	b.ReportAllocs()
	before := processorTime(b)
	for i := 0; b.Loop(); i++ {
		do(i)
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// users returns n bodies with the contexts of different users.
func users(n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = strings.Replace(contextBody, "5c3d8535", fmt.Sprintf("%08x", i), 1)
	}
	return bodies
}

// visits returns the order in which users ask: a few often, most seldom (Zipf's law), as far as hits have to be realistic.
func visits(users int) []int {
	source := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, uint64(users-1))
	order := make([]int, 1<<16)
	for i := range order {
		order[i] = int(source.Uint64())
	}
	return order
}

// Answers for all of 1,000 flags, as a fleet of web clients asks for them: of so many users, each with an own context.
func BenchmarkBulkMemory(b *testing.B) {
	for _, population := range []int{1, 100, 10_000} {
		bodies, order := users(population), visits(population)
		for name, memory := range map[string]int64{"without": -1, "with": 0, "with-64MB": 64 << 20} {
			b.Run(fmt.Sprintf("users=%d/%s", population, name), func(b *testing.B) {
				s, metrics := newRemembering(b, 1000, memory)
				var ctx fasthttp.RequestCtx
				measured(b, func(i int) {
					ask(&ctx, "", bodies[order[i%len(order)]])
					ctx.Response.Reset()
					s.handle(&ctx)
				})
				b.ReportMetric(float64(len(ctx.Response.Body())), "B/answer")
				b.ReportMetric(hits(b, metrics)/float64(b.N), "hits/op")
			})
		}
	}
}

// Answers for all of 1,000 flags to users who have them already, without a memory of answers.
func BenchmarkUnchanged(b *testing.B) {
	s, _ := newRemembering(b, 1000, -1)
	bodies := users(10_000)
	tags := make([][]byte, len(bodies))
	var ctx fasthttp.RequestCtx
	for i, body := range bodies {
		ask(&ctx, "", body)
		s.handle(&ctx)
		tags[i] = bytes.Clone(ctx.Response.Header.Peek(fasthttp.HeaderETag))
	}
	measured(b, func(i int) {
		ask(&ctx, "", bodies[i%len(bodies)])
		ctx.Request.Header.SetBytesV(fasthttp.HeaderIfNoneMatch, tags[i%len(tags)])
		ctx.Response.Reset()
		s.handle(&ctx)
	})
	if ctx.Response.StatusCode() != fasthttp.StatusNotModified {
		b.Errorf("status %d", ctx.Response.StatusCode())
	}
}

// Answers for one flag, with and without a memory in front of everything that the handler does after it knows the flag and the request
// body. This is the most that a memory of single answers could save.
func BenchmarkSingleMemory(b *testing.B) {
	for _, population := range []int{1, 10_000, 1_000_000} {
		bodies, order := users(population), visits(population)
		b.Run(fmt.Sprintf("users=%d/without", population), func(b *testing.B) {
			s, _ := newRemembering(b, 1000, -1)
			var ctx fasthttp.RequestCtx
			measured(b, func(i int) {
				ask(&ctx, "flag-00003", bodies[order[i%len(order)]])
				ctx.Response.Reset()
				s.handle(&ctx)
			})
		})
		b.Run(fmt.Sprintf("users=%d/with", population), func(b *testing.B) {
			s, _ := newRemembering(b, 1000, -1)
			memory := cache.NewAnswers[[]byte](4 << 20)
			run(b, memory.Run)
			var ctx fasthttp.RequestCtx
			var key []byte
			found := 0
			measured(b, func(i int) {
				ask(&ctx, "flag-00003", bodies[order[i%len(order)]])
				ctx.Response.Reset()
				var hit bool
				if key, hit = remembered(s, &ctx, memory, key); hit {
					found++
				}
			})
			b.ReportMetric(float64(found)/float64(b.N), "hits/op")
		})
	}
}

// remembered answers from memory if it can, as the handler otherwise.
func remembered(s *Server, ctx *fasthttp.RequestCtx, memory *cache.Answers[[]byte], key []byte) (usedKey []byte, hit bool) {
	x := s.exchanges.Get().(*exchange)
	defer s.exchanges.Put(x)
	if err := s.resolver.Begin(context.Background(), &x.request, nil, resolver.Headers{}); err != nil {
		panic(err)
	}
	defer x.request.End()
	target := parseRoute(ctx.Request.Header.RequestURI())
	x.key, _ = appendUnescaped(x.key[:0], target.key)
	flag := x.request.View().Rules().FlagBytes(x.key)
	key = binary.LittleEndian.AppendUint64(key[:0], flag.Generation())
	key = append(key, ctx.PostBody()...)
	if body, ok := memory.Get(key); ok {
		setBody(ctx, fasthttp.StatusOK, append(buffer(ctx), body...))
		return key, true
	}
	s.handle(ctx)
	body := bytes.Clone(ctx.Response.Body())
	memory.Put(key, body, len(body))
	return key, false
}
