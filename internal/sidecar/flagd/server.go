package flagd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/evaluation/v1/evaluationv1connect"
	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/evaluation/v2/evaluationv2connect"
	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/sync/v1/syncv1connect"
	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/inflight"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/tokens"
)

// The limits of a server.
const (
	// DefaultMaxConnections is how many connections a port should have open; the listener sees to it.
	DefaultMaxConnections = 1024
	// DefaultMaxStreams is how many streams of a port may be open unless its options say otherwise. A provider opens one, and many streams
	// fit on one connection.
	DefaultMaxStreams = 1024

	maxMessage    = 1_000_000 // bytes of a request, decompressed
	maxRequests   = 100       // at the same time on one connection of HTTP/2
	maxHeader     = 16 << 10
	headerTimeout = 3 * time.Second
	readTimeout   = 5 * time.Second  // for a whole request, from its first byte
	writeTimeout  = 10 * time.Second // for an answer, or for one message of a stream
	idleTimeout   = 5 * time.Minute
	pingAfter     = 30 * time.Second // of silence on a connection of HTTP/2
	pingTimeout   = 15 * time.Second

	minPlaces = 64 // of requests, however small the budget is

	streamBuffer     = 64 << 10 // bytes that a request may send ahead
	connectionBuffer = 1 << 20
)

// keepAlive is how long a stream of events stays silent. It is flagd's.
const keepAlive = 20 * time.Second

// Options configure the servers.
type Options struct {
	// Resolver answers the evaluations. It is required.
	Resolver *resolver.Resolver
	// Feed tells what changes. It is required.
	Feed *changes.Feed
	// Documents has what providers evaluate themselves. It is required for the sync server.
	Documents *Documents
	// Tokens say who may ask; nil means everybody. Health checks are answered without.
	Tokens *tokens.File
	// Ready reports whether evaluations should be sent here. It is required.
	Ready func() bool
	// Hosts are the names, beside those of loopback, that requests over HTTP/1.1 may give as their Host, or "*" for all. Without any, a
	// server that does not listen on loopback asks for none; see package origin.
	Hosts []string
	// MaxStreams is how many streams may be open, and listen.Places says who gets one when there are as many; the others are ended
	// with RESOURCE_EXHAUSTED. 0 means DefaultMaxStreams.
	MaxStreams int
	// Budget is how many bytes requests and answers may have under way; more are refused with RESOURCE_EXHAUSTED. 0 means inflight.Default.
	Budget int64
	// Grace is how long requests that are being answered may take once the server is told to stop.
	Grace time.Duration
	// Metrics counts what happens. It is required; both servers may share it.
	Metrics *Metrics
	// Logger gets what an operator should know. It never gets anything of a request.
	Logger zerolog.Logger
}

// Server is the server of one port. Create it with NewEvaluation or NewSync and run it once.
type Server struct {
	options      Options
	label        string // in metrics
	services     []string
	http         http.Server
	stopping     chan struct{} // closed when streams are to end
	stop         func()
	requests     sync.Pool      // of *resolver.Request
	bulkRequests sync.Pool      // of *resolver.BulkRequest
	streams      *listen.Places // of long-lived streams
	places       *listen.Shares // of requests
	budget       *inflight.Budget
	sent         sent
	making       chan struct{}  // holds one value for each answer with all flags that is being made
	policy       *origin.Policy // set by Run; nil asks for nothing

	eventRepeat eventRepeat
}

// NewEvaluation returns the server of flagd.evaluation. It does nothing until Run.
func NewEvaluation(o Options) *Server {
	s := newServer(o, "flagd", evaluationv1connect.ServiceName, evaluationv2connect.ServiceName)
	mux := s.routes()
	mux.Handle(s.guarded(evaluationv1connect.NewServiceHandler(evaluationV1{s}, s.handlerOptions()...)))
	mux.Handle(s.guarded(evaluationv2connect.NewServiceHandler(evaluationV2{s}, s.handlerOptions()...)))
	return s
}

// NewSync returns the server of flagd.sync. It does nothing until Run.
func NewSync(o Options) *Server {
	s := newServer(o, "flagd-sync", syncv1connect.FlagSyncServiceName)
	service := syncV1{server: s}
	mux := s.routes()
	mux.Handle(s.guarded(syncv1connect.NewFlagSyncServiceHandler(service, s.handlerOptions()...)))
	mux.Handle(s.guarded(syncv1connect.FlagSyncServiceFetchAllFlagsProcedure, service.fetchHandler(s.handlerOptions())))
	return s
}

func newServer(o Options, label string, services ...string) *Server {
	o.MaxStreams = cmp.Or(o.MaxStreams, DefaultMaxStreams)
	s := &Server{
		options:      o,
		label:        label,
		services:     services,
		streams:      listen.NewPlaces(o.MaxStreams, 0),
		places:       listen.NewShares(max(minPlaces, int(cmp.Or(o.Budget, inflight.Default)/requestCost))),
		budget:       inflight.New(o.Budget),
		making:       make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		stopping:     make(chan struct{}),
		requests:     sync.Pool{New: func() any { return new(resolver.Request) }},
		bulkRequests: sync.Pool{New: func() any { return new(resolver.BulkRequest) }},
	}
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	s.http = http.Server{
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxRequests,
			MaxReceiveBufferPerConnection: connectionBuffer,
			MaxReceiveBufferPerStream:     streamBuffer,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              writeTimeout,
		},
		ConnContext: withClient,
		ErrorLog:    log.New(lines{o.Logger}, "", 0),
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// routes makes the handler of the server, with the health checks.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(grpchealth.NewHandler(checker{s}, s.handlerOptions()...))
	s.http.Handler = s.forBrowsers(s.bounded(withDeadlines(mux)))
	return mux
}

// handlerOptions bound what a request may cost. Answers are not compressed: most go to the same machine.
func (s *Server) handlerOptions() []connect.HandlerOption {
	return []connect.HandlerOption{
		codecs(),
		connect.WithReadMaxBytes(maxMessage),
		connect.WithCompressMinBytes(math.MaxInt),
		connect.WithRecover(s.recoverPanic),
		connect.WithInterceptors(bounds{s}),
	}
}

// Run answers requests that arrive at l until ctx ends. Then it tells streams that the sidecar goes away, answers what was asked, closes
// what is left when the grace is over, and returns nil. It returns an error if l fails before.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	s.policy = origin.For(l.Addr(), s.options.Hosts, nil)
	defer s.stop()
	defer context.AfterFunc(ctx, s.stop)()
	if err := listen.Serve(ctx, &s.http, l, s.options.Grace); !errors.Is(err, listen.ErrCutOff) { // a client that still reads had time enough
		return err
	}
	return nil
}

// Streams returns how many streams of providers are open.
func (s *Server) Streams() int { return s.streams.Taken() }

// checker answers health checks: every service is as healthy as the sidecar is ready.
type checker struct{ server *Server }

// Check implements grpchealth.Checker.
func (c checker) Check(_ context.Context, request *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if request.Service != "" && !slices.Contains(c.server.services, request.Service) {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("there is no such service on this port"))
	}
	if !c.server.options.Ready() {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}

// lines hands what net/http logs to the logger.
type lines struct{ logger zerolog.Logger }

var _ io.Writer = lines{}

// Write logs one line.
func (l lines) Write(p []byte) (int, error) {
	l.logger.Debug().Str("detail", string(p)).Msg("connection of a flagd provider failed")
	return len(p), nil
}
