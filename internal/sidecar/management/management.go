// Package management serves what operators and orchestrators ask a sidecar: /healthz, /readyz, /status, /metrics and /explain, over HTTP
// on a port of its own.
package management

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/origin"
)

// DefaultMaxConnections is how many connections the port should have open; the listener sees to it.
const DefaultMaxConnections = 128

// The limits of a connection.
const (
	headerTimeout = 3 * time.Second
	readTimeout   = 5 * time.Second
	writeTimeout  = 15 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	grace         = 2 * time.Second
)

// The paths below which there is more than one.
const (
	explainPath = "/explain/"
	profilePath = "/debug/pprof/"
)

// State is what there is to tell. Its methods are called by any number of goroutines.
type State interface {
	// NotReady returns why evaluations should not be sent here now, nil if they may.
	NotReady() []string
	// Status returns what /status shows; it must encode as JSON.
	Status() any
}

// Options configure a Server.
type Options struct {
	// State is what there is to tell. It is required.
	State State
	// Explain answers a POST to /explain/ and the key, which it gets unescaped. It is required.
	Explain func(w http.ResponseWriter, r *http.Request, key string)
	// Metrics is what /metrics shows. It is required.
	Metrics prometheus.Gatherer
	// Profiling serves the profiles of the Go runtime below /debug/pprof/.
	Profiling bool
	// Hosts are the names, beside those of loopback, that requests may give as their Host, or "*" for all. Without any, a server that does
	// not listen on loopback asks for none; see package origin.
	Hosts []string
	// Logger gets errors of connections.
	Logger zerolog.Logger
}

// Server is the management server. Create it with New and run it once.
type Server struct {
	http   http.Server
	hosts  []string
	policy *origin.Policy // set by Run; nil asks for no host
}

// New returns a server that does nothing until Run.
func New(o Options) *Server {
	s := &Server{hosts: o.Hosts}
	s.http = http.Server{
		Handler:           s.forBrowsers(routes(o)),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(lines{o.Logger}, "", 0),
	}
	return s
}

// Run answers requests that arrive at l until ctx ends, closes l and returns nil. It returns an error if l fails before.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	s.policy = origin.For(l.Addr(), s.hosts, nil)
	if err := listen.Serve(ctx, &s.http, l, grace); !errors.Is(err, listen.ErrCutOff) { // a client that still reads had time enough
		return err
	}
	return nil
}

// routes returns the handler of all paths. They are so few that a switch is all the routing they need.
func routes(o Options) http.Handler {
	exposition := promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		profiled := o.Profiling && strings.HasPrefix(path, profilePath)
		explained := strings.HasPrefix(path, explainPath)
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case explained && r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			Refuse(w, http.StatusMethodNotAllowed, "the evaluation context goes into the body: use POST")
		case explained:
			o.Explain(w, r, strings.TrimPrefix(path, explainPath))
		case !profiled && path != "/healthz" && path != "/readyz" && path != "/status" && path != "/metrics":
			Refuse(w, http.StatusNotFound, "there is nothing at this path: /healthz, /readyz, /status, /metrics and /explain/KEY are")
		case !read:
			w.Header().Set("Allow", "GET, HEAD")
			Refuse(w, http.StatusMethodNotAllowed, "this can only be read: use GET")
		case path == "/healthz":
			Answer(w, http.StatusOK, liveness{Alive: true})
		case path == "/readyz":
			ready(w, o.State.NotReady())
		case path == "/status":
			Answer(w, http.StatusOK, o.State.Status())
		case profiled:
			profile(w, r, strings.TrimPrefix(path, profilePath))
		default:
			exposition.ServeHTTP(w, r)
		}
	})
}

type problem struct {
	Detail string `json:"detail"`
}

type liveness struct {
	Alive bool `json:"alive"`
}

type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"`
}

func ready(w http.ResponseWriter, reasons []string) {
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	Answer(w, status, readiness{Ready: len(reasons) == 0, Reasons: reasons})
}

// Refuse answers with the reason why not, as JSON.
func Refuse(w http.ResponseWriter, status int, detail string) { Answer(w, status, problem{detail}) }

// Answer writes body, which must encode as JSON, with the status.
func Answer(w http.ResponseWriter, status int, body any) {
	content, err := json.Marshal(body)
	if err != nil {
		status, content = http.StatusInternalServerError, []byte(`{"detail":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(content, '\n')) // an error means that the client is gone
}

// lines hands what net/http logs to the logger.
type lines struct{ logger zerolog.Logger }

var _ io.Writer = lines{}

// Write logs one line.
func (l lines) Write(p []byte) (int, error) {
	l.logger.Debug().Str("detail", string(p)).Msg("management connection failed")
	return len(p), nil
}
