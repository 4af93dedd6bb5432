package ofrep

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// endless is a connection on which the same requests arrive one after the other, until the benchmark is over. What is written to it is gone.
type endless struct {
	b        *testing.B
	requests [][]byte
	next     int
}

func (c *endless) Read(p []byte) (int, error) {
	if !c.b.Loop() {
		return 0, io.EOF
	}
	c.next++
	return copy(p, c.requests[c.next%len(c.requests)]), nil
}

func (c *endless) Write(p []byte) (int, error)      { return len(p), nil }
func (c *endless) Close() error                     { return nil }
func (c *endless) LocalAddr() net.Addr              { return loopback }
func (c *endless) RemoteAddr() net.Addr             { return loopback }
func (c *endless) SetDeadline(time.Time) error      { return nil }
func (c *endless) SetReadDeadline(time.Time) error  { return nil }
func (c *endless) SetWriteDeadline(time.Time) error { return nil }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8016}

// raw returns a request as a client writes it.
func raw(key, context string) []byte {
	body := `{"context":` + context + `}`
	return fmt.Appendf(nil, "POST %s/%s HTTP/1.1\r\nHost: localhost:8016\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		basePath, key, len(body), body)
}

// shopper is a context of 203 bytes, as applications send it.
const shopper = `{"targetingKey":"user-8f14e45fceea167a","plan":"gold","country":"DE","email":"someone@shop.example","age":42,` +
	`"beta":true,"version":"2.14.3","device":{"os":"ios","model":"phone-15"},"cart":3,"id":9}`

// newMeasured returns a server with flags of all kinds and everything that counts, as in a sidecar.
func newMeasured(b *testing.B) *Server {
	b.Helper()
	var file strings.Builder
	file.WriteString(`{"flags":{`)
	for i := range 1000 {
		rule := ""
		switch i % 4 {
		case 1:
			rule = `,"targeting":{"if":[{"in":[{"var":"plan"},["gold","platinum"]]},"on","off"]}`
		case 2:
			rule = `,"targeting":{"fractional":[["on",50],["off",50]]}`
		case 3:
			rule = `,"targeting":{"if":[{"and":[{"==":[{"var":"country"},"DE"]},{"sem_ver":[{"var":"version"},">=","2.0.0"]}]},"on",{"fractional":[["on",10],["off",90]]}]}`
		}
		fmt.Fprintf(&file, `"flag-%05d":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"%s},`, i, rule)
	}
	s, _ := newServing(b, []byte(strings.TrimSuffix(file.String(), ",")+"}}"), resolver.Options{Usage: counting.New("shop")})
	return s
}

// The whole way of a request through the server but for the system calls, beside a server that answers the same bytes without looking.
func BenchmarkWay(b *testing.B) {
	kinds := map[string][][]byte{"static": {raw("flag-00000", shopper)}, "targeted": {raw("flag-00001", shopper)}, "mixed": nil}
	for i := range 1000 {
		kinds["mixed"] = append(kinds["mixed"], raw(fmt.Sprintf("flag-%05d", i), shopper))
	}
	for _, kind := range []string{"static", "targeted", "mixed"} {
		b.Run(kind+"/constant", func(b *testing.B) {
			answer := answerOf(b, newMeasured(b), kinds[kind][0])
			s := fasthttp.Server{
				Handler: func(ctx *fasthttp.RequestCtx) {
					ctx.Response.Header.SetContentType(contentType)
					ctx.Response.SetBodyRaw(answer)
				},
				NoDefaultServerHeader: true, NoDefaultDate: true,
			}
			c := &endless{b: b, requests: kinds[kind]}
			measuredWay(b, func() error { return s.ServeConn(c) })
		})
		b.Run(kind+"/flagside", func(b *testing.B) {
			s := newMeasured(b)
			answerOf(b, s, kinds[kind][0])
			c := &connection{Conn: &endless{b: b, requests: kinds[kind]}, server: s}
			c.place, _ = s.places.Take(c.holder, func() {})
			measuredWay(b, func() error { return s.http.ServeConn(c) })
		})
	}
}

func measuredWay(b *testing.B, serve func() error) {
	b.Helper()
	b.ReportAllocs()
	before := processorTime(b)
	if err := serve(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// answerOf returns the body of the answer to a request.
func answerOf(b *testing.B, s *Server, request []byte) []byte {
	b.Helper()
	var ctx fasthttp.RequestCtx
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(string(request)))); err != nil {
		b.Fatal(err)
	}
	s.handle(&ctx)
	if ctx.Response.StatusCode() != fasthttp.StatusOK {
		b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	return append([]byte(nil), ctx.Response.Body()...)
}
