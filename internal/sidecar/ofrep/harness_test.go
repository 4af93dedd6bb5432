package ofrep_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// patience bounds every wait; only a failing test ever waits that long.
const patience = 20 * time.Second

// flags has one flag for each kind of answer.
const flags = `{
  "flags": {
    "on":       {"state": "ENABLED",  "variants": {"on": true, "off": false}, "defaultVariant": "on", "metadata": {"owner": "shop"}},
    "text":     {"state": "ENABLED",  "variants": {"x": "a \"quoted\" ü"}, "defaultVariant": "x"},
    "number":   {"state": "ENABLED",  "variants": {"x": 9007199254740991}, "defaultVariant": "x"},
    "object":   {"state": "ENABLED",  "variants": {"x": {"a": [1, {"b": null}]}}, "defaultVariant": "x"},
    "targeted": {"state": "ENABLED",  "variants": {"gold": 1, "free": 2}, "defaultVariant": "free",
                 "targeting": {"if": [{"==": [{"var": "plan"}, "gold"]}, "gold", null]}},
    "disabled": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "code":     {"state": "ENABLED",  "variants": {"on": true, "off": false}, "defaultVariant": null},
    "broken":   {"state": "ENABLED",  "variants": {"on": true, "off": false}, "defaultVariant": "on",
                 "targeting": {"var": "variant"}},
    "grouped":  {"state": "ENABLED",  "variants": {"on": true, "off": false}, "defaultVariant": "on", "metadata": {"flagSetId": "web"}}
  }
}`

// load returns a store with the flags.
func load(t testing.TB, file string, compatibility eval.Compatibility) *cache.Store {
	t.Helper()
	return loadWithin(t, file, compatibility, 0)
}

// loadWithin is load with a limit for the work of an evaluation.
func loadWithin(t testing.TB, file string, compatibility eval.Compatibility, maxWork int) *cache.Store {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Compatibility: compatibility, MaxWork: maxWork, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	path := filepath.Join(t.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.LoadBootstrap(path); err != nil {
		t.Fatal(err)
	}
	return store
}

// empty is a source of views that has none.
func empty(t testing.TB) *cache.Store {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// system is a running server.
type system struct {
	t       testing.TB
	addr    string
	metrics *prometheus.Registry
	logs    *bytes.Buffer // to be read after stop
	cancel  context.CancelFunc
	ended   chan error
}

// start runs a server on a free port of the loopback interface until the test ends.
func start(t testing.TB, views resolver.Views, adjust func(*ofrep.Options)) *system {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, views, adjust)
}

func startOn(t testing.TB, l net.Listener, views resolver.Views, adjust func(*ofrep.Options)) *system {
	t.Helper()
	s := &system{t: t, metrics: prometheus.NewRegistry(), logs: new(bytes.Buffer), ended: make(chan error, 1)}
	r, err := resolver.New(resolver.Options{Views: views, Metrics: s.metrics})
	if err != nil {
		t.Fatal(err)
	}
	o := ofrep.Options{Resolver: r, Grace: patience, Metrics: s.metrics, Logger: zerolog.New(s.logs)}
	if adjust != nil {
		adjust(&o)
	}
	server, err := ofrep.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.ended <- server.Run(ctx, l) }()
	t.Cleanup(s.stop)
	return s
}

// stop ends the server and waits for it. It may be called again.
func (s *system) stop() {
	s.cancel()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("Run returned %v", err)
		}
		s.ended <- nil
	case <-time.After(patience):
		s.t.Error("Run did not return")
	}
}

// reply is an answer with its body decoded.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

// do sends a request to a target as it stands, with every header line given.
func (s *system) do(method, target, body string, header ...string) reply {
	s.t.Helper()
	c := s.dial()
	defer c.Close()
	c.send(request(method, target, body, header...))
	return c.receive(method)
}

// request returns the bytes of a request.
func request(method, target, body string, header ...string) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n")
	for _, line := range header {
		b.WriteString(line + "\r\n")
	}
	if body != "" {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// client is a plain TCP connection to a server.
type client struct {
	net.Conn
	t      testing.TB
	reader *bufio.Reader
}

func (s *system) dial() *client {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return &client{Conn: c, t: s.t, reader: bufio.NewReader(c)}
}

func (c *client) send(data string) {
	c.t.Helper()
	if _, err := io.WriteString(c, data); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads the answer to a request with the method. Every answer must be a JSON object.
func (c *client) receive(method string) reply {
	c.t.Helper()
	response, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := reply{status: response.StatusCode, header: response.Header}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		c.t.Errorf("content type %q", got)
	}
	if method == http.MethodHead {
		return r
	}
	if err := json.Unmarshal(content, &r.body); err != nil {
		c.t.Errorf("body %q: %v", content, err)
	}
	return r
}

// closed waits until the server has closed the connection.
func (c *client) closed() {
	c.t.Helper()
	n, err := c.reader.Read(make([]byte, 1))
	if err == nil {
		c.t.Errorf("%d bytes more instead of the end of the connection", n)
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		c.t.Error("the connection stays open")
	}
}

// counter returns the sum of a metric over its series.
func (s *system) counter(name string) float64 {
	s.t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() == name {
			for _, metric := range family.GetMetric() {
				sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}
