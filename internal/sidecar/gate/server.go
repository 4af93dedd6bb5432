package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/telemetry"
)

// The limits of a server.
const (
	// MaxConnections is how many connections may be open at an address. Proxies keep few and use them again.
	MaxConnections = 512

	maxHeader   = 64 << 10 // more than proxies let through by default
	maxBody     = 1 << 20
	readTimeout = 5 * time.Second
	idleTimeout = 2 * time.Minute
)

// Server answers proxies. Create it with New and run it once.
type Server struct {
	options   Options
	selection *selection
	sources   []source
	visitors  *visitors // nil if none get a cookie
	metrics   metrics
	caching   string // value of Cache-Control
	verbose   bool
	exchanges sync.Pool
	http      fasthttp.Server
}

// New returns a server that does nothing until Run.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Cookie, o.Lifetime = cmp.Or(o.Cookie, DefaultCookie), cmp.Or(o.Lifetime, DefaultLifetime)
	o.MaxAge, o.Deadline = cmp.Or(o.MaxAge, DefaultMaxAge), cmp.Or(o.Deadline, DefaultDeadline)
	s := &Server{
		options: o, selection: newSelection(o), sources: newSources(o), caching: noStore, verbose: o.Logger.GetLevel() <= zerolog.DebugLevel,
		exchanges: sync.Pool{New: newExchange},
	}
	if o.MaxAge >= time.Second {
		s.caching = fmt.Sprintf("private, max-age=%d", seconds(o.MaxAge))
	}
	var err error
	if s.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, err
	}
	if o.VisitorKeyFile != "" {
		if s.visitors, err = openVisitors(o.VisitorKeyFile, o.Logger); err != nil {
			return nil, err
		}
	}
	s.http = fasthttp.Server{
		Handler: s.handle, ErrorHandler: s.malformed, Logger: discardLogger{}, SecureErrorLogMessage: true, ReadBufferSize: maxHeader,
		MaxRequestBodySize: maxBody, ReadTimeout: readTimeout, WriteTimeout: readTimeout, IdleTimeout: idleTimeout, NoDefaultServerHeader: true,
		NoDefaultDate: true, NoDefaultContentType: true, MaxIdleWorkerDuration: time.Second, // a goroutine outlives Run by as much
		DisablePreParseMultipartForm: true, CloseOnShutdown: true,
	}
	return s, nil
}

// handle answers one request. It must not keep anything of ctx.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	began := time.Now()
	defer s.recoverPanic(ctx)
	x := s.exchanges.Get().(*exchange)
	s.answer(ctx, x)
	s.exchanges.Put(x)
	s.metrics.seconds.Observe(time.Since(began).Seconds())
}

// recoverPanic turns a panic into an answer without flags.
func (s *Server) recoverPanic(ctx *fasthttp.RequestCtx) {
	v := recover()
	if v == nil {
		return
	}
	telemetry.OfPanic(s.options.Logger.Error(), v).Msg("gate request failed because of a bug in the sidecar: please report it")
	s.withoutFlags(ctx)
}

// malformed answers what is no request: without flags, and with the end of the connection.
func (s *Server) malformed(ctx *fasthttp.RequestCtx, _ error) {
	s.metrics.broken.Inc()
	s.withoutFlags(ctx)
	ctx.SetConnectionClose()
}

// Run answers requests that arrive at l until ctx ends. Then it closes l, lets requests that are being answered end, for as long as grace, and
// returns nil. It returns an error if l fails before.
func (s *Server) Run(ctx context.Context, l net.Listener, grace time.Duration) error {
	var running sync.WaitGroup
	defer running.Wait()
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	if s.visitors != nil {
		running.Go(func() { _ = s.visitors.run(watching) })
	}
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.http.ShutdownWithContext(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // what is left ends with its connection
	}
	return errors.Join(err, <-served)
}

// discardLogger drops what fasthttp would log: errors of single connections, which concern the client.
type discardLogger struct{}

// Printf does nothing.
func (discardLogger) Printf(string, ...any) {}
