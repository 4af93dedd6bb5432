package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// originTimeout is for all tests of a page.
const originTimeout = time.Minute

// originPage is a page that asks the sidecar from another origin, with header fields of its own.
type originPage struct {
	mode    string
	address string // at which the browser opens it
	allowed bool   // by --cors-origin
}

// originPages returns a page of another port, one of another site, and one whose origin the sidecar does not know.
func (s *system) originPages() []originPage {
	return []originPage{
		{"page of another port", s.page, true},
		{"page of another site", onLocalhost(s.page), true},
		{"page that is not allowed", s.foreignPage, false},
	}
}

// onLocalhost returns an address of a loopback interface by its name, which browsers take for another site.
func onLocalhost(address string) string { return fmt.Sprintf("localhost:%d", port(address)) }

// tests are the names of what the page does, see origins.mjs.
func (p originPage) tests() []string {
	if p.allowed {
		return []string{"preflight", "header becomes context", "entity tag", "event stream", "field that is not listed"}
	}
	return []string{"no answer", "no answer without a preflight", "no event stream"}
}

// origins runs the tests of a page in a browser. The first one asks through a witness.
func (s *system) origins(ctx context.Context, p originPage) []result {
	ctx, cancel := context.WithTimeoutCause(ctx, originTimeout, errors.New("the page did not report in time"))
	defer cancel()
	w := new(witness)
	reports, err := s.browse(ctx, p, w)
	var results []result
	for _, test := range p.tests() {
		results = append(results, result{"web", p.mode, test, errors.Join(err, reports.of(test))})
	}
	results[0].err = errors.Join(results[0].err, w.verify(p))
	return results
}

// browse opens the page and returns what it reports.
func (s *system) browse(ctx context.Context, p originPage, w *witness) (pageReports, error) {
	front, err := serveOn("127.0.0.1:0", w.before(s.ofrep))
	if err != nil {
		return nil, err
	}
	defer front.Close()
	results := make(chan pageReports, 1)
	server, err := serveOn(fmt.Sprintf("127.0.0.1:%d", port(p.address)), s.pageHandler(results))
	if err != nil {
		return nil, err
	}
	defer server.Close()
	query := url.Values{"sidecar": {"http://" + s.ofrep}, "witness": {"http://" + front.Addr}, "test": p.tests()}
	stop, err := startChromium("http://" + p.address + "/?" + query.Encode())
	if err != nil {
		return nil, err
	}
	defer stop()
	select {
	case r := <-results:
		return r, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// pageHandler serves the page, makes a change when the page wants one, and passes its report on.
func (s *system) pageHandler(results chan<- pageReports) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><meta charset="utf-8"><script type="module" src="/origins.mjs"></script>`)
	})
	mux.HandleFunc("GET /origins.mjs", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(scripts, "origins.mjs"))
	})
	mux.HandleFunc("POST /change", func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.change(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /results", func(w http.ResponseWriter, r *http.Request) {
		var reports pageReports
		if err := json.NewDecoder(r.Body).Decode(&reports); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		results <- reports
	})
	return mux
}

// serveOn serves at an address, which it completes, until the server is closed.
func serveOn(address string, handler http.Handler) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Addr: listener.Addr().String(), Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return server, nil
}

// pageReports are what became of the tests of a page.
type pageReports []struct{ Test, Failure string }

// of returns why a test failed, nil if it passed.
func (p pageReports) of(test string) error {
	for _, r := range p {
		switch {
		case r.Test != test:
		case r.Failure != "":
			return errors.New(r.Failure)
		default:
			return nil
		}
	}
	return errors.New("the page did not report it")
}

// witness stands before a sidecar and remembers what a browser asks it.
type witness struct {
	mu       sync.Mutex
	requests []*http.Request
}

// before passes requests on to the server at an address, the Host included.
func (w *witness) before(address string) http.Handler {
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Host = r.In.Host
	}}
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Clone(context.WithoutCancel(r.Context())))
		w.mu.Unlock()
		forward.ServeHTTP(to, r)
	})
}

// verify returns nil if the browser asked first whether the page may send its header fields, and sent the request only if it may.
func (w *witness) verify(p originPage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var methods []string
	for _, r := range w.requests {
		methods = append(methods, r.Method)
	}
	want := []string{http.MethodOptions}
	if p.allowed {
		want = append(want, http.MethodPost)
	}
	if !slices.Equal(methods, want) {
		return fmt.Errorf("the browser sent %q, want %q", methods, want)
	}
	header := w.requests[0].Header
	asked := strings.Split(header.Get("Access-Control-Request-Headers"), ",")
	for _, field := range []string{"baggage", "content-type", "if-none-match", "traceparent", "tracestate", "x-tenant"} {
		if !slices.Contains(asked, field) {
			return fmt.Errorf("the preflight asks for %q, without %s", asked, field)
		}
	}
	if origin := header.Get("Origin"); origin != "http://"+p.address {
		return fmt.Errorf("the preflight is of the origin %q", origin)
	}
	return nil
}
