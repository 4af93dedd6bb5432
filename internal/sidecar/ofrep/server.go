package ofrep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/inflight"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/tokens"
	"github.com/flagside/flagside/internal/telemetry"
)

// The limits of a server. Those of the body are flagd's; headers have room for tracing and cookies.
const (
	DefaultMaxConnections = 1024
	DefaultMaxBody        = 1_000_000
	DefaultMaxStreams     = 256

	maxHeader = 16 << 10
	// writeBuffer is what each connection is written from. All but the longest answers for one flag fit in; bulk answers are written past it.
	writeBuffer = 2560
)

// Options configure a Server.
type Options struct {
	// Resolver answers the evaluations. It is required.
	Resolver *resolver.Resolver
	// Grace is how long requests that are being answered may take once the server is told to stop; 0 ends them at once.
	Grace time.Duration
	// MaxConnections is how many connections may be open, and listen.Places says who gets one when there are as many; the others are answered
	// with 429. 0 means DefaultMaxConnections.
	MaxConnections int
	// Feed tells event streams of changes; nil means that there are no event streams.
	Feed *changes.Feed
	// Budget is how many bytes answers for all flags may have under way; more are refused with 503. 0 means inflight.Default.
	Budget int64
	// MaxStreams is how many event streams may be open beside the connections, given away in the same way. 0 means DefaultMaxStreams.
	MaxStreams int
	// MaxBody is how many bytes a request body may have; 0 means DefaultMaxBody.
	MaxBody int
	// Origins are those whose pages browsers let read answers, such as https://shop.example, or "*" for all; none means no page of another
	// origin.
	Origins []string
	// ContextHeaders are header fields that become attributes of contexts, which pages of Origins may send.
	ContextHeaders []string
	// Hosts are the names, beside those of loopback, that requests may give as their Host, or "*" for all. Without any, a server that does
	// not listen on loopback asks for none; see package origin.
	Hosts []string
	// TokenFile is the path of a file with tokens, one a line; every request needs one of them then. It is read again when it changes.
	// Empty means that no request needs one.
	TokenFile string
	// Metrics gets the server's metrics. It is required.
	Metrics prometheus.Registerer
	// Logger gets what an operator should know. It never gets anything of a request.
	Logger zerolog.Logger
}

// Server answers OFREP requests. Create it with New and run it once.
type Server struct {
	resolver *resolver.Resolver
	grace    time.Duration
	origins  []string
	// requestFields are the header fields that pages may send.
	requestFields string
	hosts         []string
	policy        *origin.Policy // set by Run; nil asks for nothing
	pages         *origin.Policy // which may tell something about usage
	tokens        *tokens.File   // nil if none are asked for
	http          fasthttp.Server
	logger        zerolog.Logger
	panics        prometheus.Counter
	refused       prometheus.Counter
	exchanges     sync.Pool // of *exchange
	bulkExchanges sync.Pool // of *bulkExchange

	draining atomic.Bool
	ending   chan struct{} // closed when event streams must end
	refusing chan struct{} // holds one value for each connection that is being refused
	feed     *changes.Feed
	budget   *inflight.Budget
	making   chan struct{} // holds one value for each answer for all flags that is being made
	spare    sync.Pool     // of *[]byte, memory for large ones
	busy     prometheus.Counter
	places   *listen.Places // for connections that evaluate
	streams  *listen.Places // for those with event streams
	serving  sync.WaitGroup
	mu       sync.Mutex
	open     map[*connection]struct{} // guarded by mu
}

// New returns a server that does nothing until Run.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := ValidateOrigins(o.Origins); err != nil {
		return nil, err
	}
	s := &Server{
		resolver: o.Resolver,
		grace:    o.Grace,
		origins:  o.Origins,

		requestFields: requestFields(o.ContextHeaders),

		hosts:     o.Hosts,
		pages:     origin.ForPages(o.Origins),
		logger:    o.Logger,
		exchanges: sync.Pool{New: func() any { return new(exchange) }},
		ending:    make(chan struct{}),
		refusing:  make(chan struct{}, maxRefusals),
		feed:      o.Feed,
		budget:    inflight.New(o.Budget),
		making:    make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		places:    listen.NewPlaces(o.MaxConnections, listen.IdleConnection),
		streams:   listen.NewPlaces(o.MaxStreams, 0),
		open:      make(map[*connection]struct{}),
	}
	if o.TokenFile != "" {
		var err error
		if s.tokens, err = tokens.Open(o.TokenFile, o.Logger); err != nil {
			return nil, fmt.Errorf("OFREP tokens: %w", err)
		}
	}
	s.bulkExchanges.New = func() any { return &bulkExchange{server: s} }
	s.http = fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 receiveError,
		ConnState:                    connectionState,
		Logger:                       discardLogger{},
		SecureErrorLogMessage:        true,
		ReadBufferSize:               maxHeader,
		WriteBufferSize:              writeBuffer,
		MaxRequestBodySize:           o.MaxBody,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultDate:                true, // the clock behind it is a goroutine that never ends
	}
	return s, s.measure(o.Metrics)
}

func (o Options) withDefaults() Options {
	o.MaxConnections = cmp.Or(o.MaxConnections, DefaultMaxConnections)
	o.MaxStreams = cmp.Or(o.MaxStreams, DefaultMaxStreams)
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	return o
}

// measure registers the metrics.
func (s *Server) measure(metrics prometheus.Registerer) error {
	s.panics = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flagside_http_panics_total",
		Help: "OFREP requests answered with 500 because the sidecar has a bug.",
	})
	s.refused = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flagside_http_connections_refused_total",
		Help: "Connections and event streams that were answered with 429, or closed to make room for another client, because too many were open.",
	})
	s.busy = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flagside_http_requests_shed_total",
		Help: "Bulk requests answered with 503 because --in-flight-memory was used up.",
	})
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flagside_http_connections",
		Help: "Open OFREP connections.",
	}, func() float64 { return float64(s.Connections()) })
	if err := errors.Join(metrics.Register(s.panics), metrics.Register(s.refused), metrics.Register(s.busy), metrics.Register(open)); err != nil {
		return fmt.Errorf("OFREP metrics: %w", err)
	}
	return nil
}

// Run answers requests that arrive at l until ctx ends. Then it closes l, answers what was asked or is about to be on open connections and
// ends each with that answer, closes what is left when the grace is over, and returns nil when every goroutine is gone. It returns an
// error if l fails before.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	s.policy = origin.For(l.Addr(), s.hosts, s.origins)
	stop := context.AfterFunc(ctx, func() {
		s.draining.Store(true)
		l.Close()
	})
	reading, unread := context.WithCancel(ctx)
	if s.tokens != nil {
		s.serving.Go(func() { _ = s.tokens.Run(reading) })
	}
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(watching) })
	err := s.accept(ctx, l)
	unread()
	if stop() {
		s.draining.Store(true)
		l.Close()
	}
	s.drain()
	unwatch()
	watch.Wait()
	return err
}

// The pauses after an error of Accept, such as too many open files, which passes.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

func (s *Server) accept(ctx context.Context, l net.Listener) error {
	pause := firstPause
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				s.admit(c) // its request may be there already
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.logger.Warn().Err(err).Stringer("pause", pause).Msg("connection not accepted, trying again")
			wait(ctx, pause)
			pause = min(2*pause, lastPause)
		default:
			pause = firstPause
			s.admit(c)
		}
	}
}

// wait returns after the pause or when ctx ends.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// reportPanic counts and logs a panic.
func (s *Server) reportPanic(v any) {
	s.panics.Inc()
	telemetry.OfPanic(s.logger.Error(), v).Msg("request failed because of a bug in the sidecar: please report it")
}

// discardLogger drops what fasthttp would log: errors of single connections, which concern the client.
type discardLogger struct{}

// Printf does nothing.
func (discardLogger) Printf(string, ...any) {}
