package gate_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/waiting"
)

// flags has one flag for each kind of answer.
const flags = `{"flags":{
  "new-checkout": {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","tags":["gate"],
                   "targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}},
  "Color.Of Day": {"state":"ENABLED","variants":{"blue, or\r\nx-evil: 1":"b"},"defaultVariant":"blue, or\r\nx-evil: 1"},
  "code":         {"state":"ENABLED","variants":{"on":true},"defaultVariant":null,"tags":["gate"]},
  "off":          {"state":"DISABLED","variants":{"on":true},"defaultVariant":"on"},
  "broken":       {"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","targeting":{"var":"plan"}},
  "split":        {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","targeting":{"fractional":[["a",50],["b",50]]}},
  "where":        {"state":"ENABLED","variants":{"here":1,"there":2},"defaultVariant":"there","targeting":{"if":[{"==":[{"var":"city"},"Köln"]},"here"]}}
}}`

// system is a running gate.
type system struct {
	t       testing.TB
	addr    string // of the gate over HTTP
	rpc     string // of the gate over gRPC
	counts  *usage.Counts
	metrics *prometheus.Registry
	store   *cache.Store
}

func load(t testing.TB, file string) *cache.Store {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if file == "" {
		return store
	}
	path := filepath.Join(t.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.LoadBootstrap(path); err != nil {
		t.Fatal(err)
	}
	return store
}

// start runs a gate over the flags until the test ends.
func start(t testing.TB, store *cache.Store, o gate.Options) *system {
	t.Helper()
	s := &system{t: t, counts: usage.New("shop"), metrics: prometheus.NewRegistry(), store: store}
	r, err := resolver.New(resolver.Options{Views: store, Metrics: s.metrics, Usage: s.counts})
	if err != nil {
		t.Fatal(err)
	}
	o.Resolver, o.Views, o.Metrics = r, store, s.metrics
	if o.Deadline == 0 {
		o.Deadline = time.Minute // no request is late because the machine is busy
	}
	server, err := gate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.rpc = l.Addr().String(), rpc.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, gate.Listeners{HTTP: l, GRPC: rpc}, waiting.Patience) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return s
}

// send sends bytes on a connection of their own, and returns the header of the answer to them.
func (s *system) send(method, data string) http.Header {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(waiting.Patience)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(c, data); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%.200q: %v", data, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || len(body) > 0 {
		s.t.Errorf("%.200q: body %q, %v", data, body, err)
	}
	if response.StatusCode != http.StatusOK {
		s.t.Errorf("%.200q: status %d", data, response.StatusCode)
	}
	return response.Header
}

// ask asks as a proxy does that appends the target of the visitor's request, with the lines of its header.
func (s *system) ask(target string, lines ...string) http.Header {
	s.t.Helper()
	data := "GET " + gate.Path + target + " HTTP/1.1\r\nHost: shop.example\r\n"
	for _, line := range lines {
		data += line + "\r\n"
	}
	return s.send(http.MethodGet, data+"\r\n")
}

// newServer returns a gate that listens nowhere.
func newServer(t testing.TB, o gate.Options) *gate.Server {
	t.Helper()
	o.Views, o.Metrics = load(t, flags), prometheus.NewRegistry()
	var err error
	o.Resolver, err = resolver.New(resolver.Options{Views: o.Views, Metrics: o.Metrics, Usage: usage.New("shop")})
	if err != nil {
		t.Fatal(err)
	}
	if o.VisitorKeyFile == "keys" {
		o.VisitorKeyFile = filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(o.VisitorKeyFile, []byte(oneKey), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := gate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
