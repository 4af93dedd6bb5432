package flagd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/evaluation/v1/evaluationv1connect"
	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/evaluation/v2/evaluationv2connect"
	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/sync/v1/syncv1connect"
	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// patience bounds every wait; only a failing test ever waits that long.
const patience = 20 * time.Second

// knowledge is how old what is known is.
type knowledge struct{ age atomic.Int64 }

func (k *knowledge) Age() (time.Duration, bool)                  { return time.Duration(k.age.Load()), true }
func (k *knowledge) Barrier(context.Context) error               { return nil }
func (k *knowledge) Wait(context.Context, changelog.Token) error { return nil }

// system is both servers over one history.
type system struct {
	*historytest.History

	t                *testing.T
	knowledge        *knowledge
	ready            atomic.Bool
	documents        *flagd.Documents
	evaluation, sync string // addresses
	cancel           context.CancelFunc
	ended            chan error
	logs             *bytes.Buffer // to be read after stop
}

// start runs the servers on free ports until the test ends. The changes are made to their options.
func start(t *testing.T, h *historytest.History, changed ...func(*flagd.Options)) *system {
	t.Helper()
	s := &system{History: h, t: t, knowledge: new(knowledge), ended: make(chan error, 3), logs: new(bytes.Buffer)}
	s.ready.Store(true)
	metrics := prometheus.NewRegistry()
	r, err := resolver.New(resolver.Options{Views: h.Store, Log: s.knowledge, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	counted, err := flagd.NewMetrics(metrics)
	if err != nil {
		t.Fatal(err)
	}
	feed := changes.New(h.Store, r.Stale)
	static, err := structpb.NewStruct(map[string]any{"region": "eu"})
	if err != nil {
		t.Fatal(err)
	}
	s.documents = flagd.NewDocuments(h.Store, static, zerolog.Nop())
	o := flagd.Options{
		Resolver: r, Feed: feed, Documents: s.documents, Ready: s.ready.Load, Grace: patience,
		Metrics: counted, Logger: zerolog.New(s.logs),
	}
	for _, change := range changed {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	serve := func(server *flagd.Server) string {
		l, err := listen.Open(t.Context(), listen.Options{Addr: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		go func() { s.ended <- server.Run(ctx, l) }()
		return l.Addr().String()
	}
	s.evaluation, s.sync = serve(flagd.NewEvaluation(o)), serve(flagd.NewSync(o))
	go func() { s.ended <- feed.Run(ctx) }()
	t.Cleanup(s.stop)
	return s
}

// stop ends the servers and waits for them. It may be called again.
func (s *system) stop() {
	s.cancel()
	for range cap(s.ended) {
		select {
		case err := <-s.ended:
			if err != nil {
				s.t.Errorf("Run returned %v", err)
			}
		case <-time.After(patience):
			s.t.Error("Run did not return")
		}
	}
	for range cap(s.ended) {
		s.ended <- nil
	}
}

// plainHTTP2 returns a client that speaks HTTP/2 without TLS.
func plainHTTP2(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// plainHTTP1 returns a client that speaks HTTP/1.1.
func plainHTTP1(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// dialect is one way to speak to the servers.
type dialect struct {
	name    string
	client  func(*testing.T) *http.Client
	options []connect.ClientOption
}

func dialects() []dialect {
	return []dialect{
		{"grpc", plainHTTP2, []connect.ClientOption{connect.WithGRPC()}},
		{"grpc-web", plainHTTP1, []connect.ClientOption{connect.WithGRPCWeb()}},
		{"connect over HTTP/1.1", plainHTTP1, nil},
		{"connect over HTTP/2", plainHTTP2, nil},
		{"connect with JSON", plainHTTP1, []connect.ClientOption{connect.WithProtoJSON()}},
		{"grpc with JSON, compressed", plainHTTP2, []connect.ClientOption{connect.WithGRPC(), connect.WithProtoJSON(), connect.WithSendGzip()}},
	}
}

func (s *system) v1(d dialect) evaluationv1connect.ServiceClient {
	return evaluationv1connect.NewServiceClient(d.client(s.t), "http://"+s.evaluation, d.options...)
}

func (s *system) v2(d dialect) evaluationv2connect.ServiceClient {
	return evaluationv2connect.NewServiceClient(d.client(s.t), "http://"+s.evaluation, d.options...)
}

func (s *system) syncs(d dialect) syncv1connect.FlagSyncServiceClient {
	return syncv1connect.NewFlagSyncServiceClient(d.client(s.t), "http://"+s.sync, d.options...)
}

// document returns the document of a flag.
func doc(key, body string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)}
}

func fields(t *testing.T, values map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantCode fails the test unless err has the code.
func wantCode(t *testing.T, what string, err error, code connect.Code) {
	t.Helper()
	if connect.CodeOf(err) != code || err == nil {
		t.Errorf("%s: %v, want %v", what, err, code)
	}
}

// post sends a plain JSON request.
func (s *system) post(addr, procedure, body string, header ...string) (status int, answer string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+addr+procedure, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := plainHTTP1(s.t).Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// closed waits until the server has closed a connection.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, c)
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		t.Error("the connection stays open")
	}
}
