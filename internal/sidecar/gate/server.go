package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/listen"
)

// The limits of a server.
const (
	// MaxConnections is how many connections may be open at an address. Proxies keep few and use them again.
	MaxConnections = 512

	maxHeader   = 64 << 10 // more than proxies let through by default
	maxBody     = 1 << 20  // of a request over HTTP, or a message over gRPC
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
	grpc      http.Server
}

// New returns a server that does nothing until Run.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Cookie, o.Lifetime = cmp.Or(o.Cookie, DefaultCookie), cmp.Or(o.Lifetime, DefaultLifetime)
	o.MaxAge, o.Deadline = cmp.Or(o.MaxAge, DefaultMaxAge), cmp.Or(o.Deadline, DefaultDeadline)
	s := &Server{
		options: o, selection: newSelection(o), sources: newSources(o), caching: noStore, verbose: verbose(o.Logger),
		exchanges: sync.Pool{New: newExchange},
	}
	if o.MaxAge >= time.Second {
		s.caching = fmt.Sprintf("private, max-age=%d", int64(o.MaxAge/time.Second))
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
	s.assembleHTTP()
	s.assembleGRPC()
	return s, nil
}

// verbose reports whether the logger writes lines of the level debug.
func verbose(logger zerolog.Logger) bool {
	event := logger.Debug()
	enabled := event.Enabled()
	event.Discard().Send()
	return enabled
}

// Listeners are where proxies ask. Nil is nowhere.
type Listeners struct{ HTTP, GRPC net.Listener }

// Run answers requests that arrive at the listeners until ctx ends. Then it closes them, lets requests that are being answered end, for as long as
// grace, and returns nil. It returns an error if a listener fails before.
func (s *Server) Run(ctx context.Context, l Listeners, grace time.Duration) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if s.visitors != nil {
		running.Go(func() { _ = s.visitors.run(ctx) })
	}
	var failures [2]error
	var serving sync.WaitGroup
	serve := func(face int, l net.Listener, run func(context.Context, net.Listener, time.Duration) error) {
		if l != nil {
			serving.Go(func() {
				defer stop()
				failures[face] = run(ctx, l, grace)
			})
		}
	}
	serve(0, l.HTTP, s.runHTTP)
	serve(1, l.GRPC, s.runGRPC)
	serving.Wait()
	return errors.Join(failures[:]...)
}

// runHTTP answers requests of HTTP/1.1.
func (s *Server) runHTTP(ctx context.Context, l net.Listener, grace time.Duration) error {
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

// runGRPC answers requests of gRPC.
func (s *Server) runGRPC(ctx context.Context, l net.Listener, grace time.Duration) error {
	if err := listen.Serve(ctx, &s.grpc, l, grace); !errors.Is(err, listen.ErrCutOff) {
		return err
	}
	return nil
}
