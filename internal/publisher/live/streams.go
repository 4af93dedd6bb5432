package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
)

const (
	// MaxStreams bounds the streams of a publisher. A quarter of them is for one principal at most.
	MaxStreams = 64
	// MaxEnvironments bounds the environments of one stream.
	MaxEnvironments = 32
	// lookInterval is how often a stream looks for news.
	lookInterval = 250 * time.Millisecond
	// checkInterval is how often it is found out whether the client may still read.
	checkInterval = time.Second
	// quietTime is after how long without an event a comment keeps the connection alive.
	quietTime = 15 * time.Second
	// lifetime is how long a stream lasts; its client comes again then.
	lifetime = time.Hour
	// writeTime bounds how long a client may take to read an event.
	writeTime = 10 * time.Second
	// readTime bounds one look at a log.
	readTime = 10 * time.Second
)

// Options say what streams tell, and whom. All members are required.
type Options struct {
	// Control returns what reads an environment.
	Control func(ctx context.Context, environment string) (*control.Service, error)
	// Authenticate returns who sends a request.
	Authenticate func(*http.Request) (access.Principal, error)
	// MayRead tells whether a principal may read an environment.
	MayRead func(ctx context.Context, p access.Principal, environment string) bool
	// Stream lets what is written go to the client at once, and reports whether there is memory for that; if not, it answers by itself.
	Stream func(http.ResponseWriter) bool
}

// Streams are the event streams of a publisher. Create them with New.
type Streams struct {
	options Options
	places  *listen.Shares
	stop    chan struct{} // closed when all are to end
}

// New returns streams, of which there are none yet. They end when stop is closed.
func New(o Options, stop chan struct{}) (*Streams, error) {
	if o.Control == nil || o.Authenticate == nil || o.MayRead == nil || o.Stream == nil || stop == nil {
		return nil, errors.New("live: all options are required")
	}
	return &Streams{options: o, places: listen.NewShares(MaxStreams), stop: stop}, nil
}

// ServeHTTP sends a stream of the environments that a GET request names, until its client leaves, may read one of them no longer, or has to come again.
func (s *Streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, api.ProblemMethodNotAllowed, "Only GET can be done here.")
		return
	}
	principal, ok := s.admit(w, r)
	if !ok {
		return
	}
	if !s.places.Take(principal.PolicyID()) {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, api.ProblemUnavailable, fmt.Sprintf("There are %d event streams at most, and a quarter of them for one principal: close other windows.", MaxStreams))
		return
	}
	defer s.places.Release(principal.PolicyID())
	s.serve(w, r)
}

// admit returns who sends a request that may have a stream, or answers why not.
func (s *Streams) admit(w http.ResponseWriter, r *http.Request) (access.Principal, bool) {
	principal, err := s.options.Authenticate(r)
	switch {
	case errors.Is(err, access.ErrUnavailable):
		refuse(w, http.StatusServiceUnavailable, api.ProblemUnavailable, "It cannot be verified now who you are: ask again.")
		return principal, false
	case err != nil:
		refuse(w, http.StatusUnauthorized, api.ProblemUnauthenticated, "Sign in to follow what happens.")
		return principal, false
	}
	names, err := environmentsIn(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, api.ProblemInvalidRequest, err.Error())
		return principal, false
	}
	for _, name := range names {
		if !s.options.MayRead(r.Context(), principal, name) {
			refuse(w, http.StatusForbidden, api.ProblemType+"forbidden", fmt.Sprintf("You are not permitted to read in environment %s.", name))
			return principal, false
		}
		if _, err := s.options.Control(r.Context(), name); err != nil {
			refuse(w, http.StatusNotFound, api.ProblemEnvironmentUnknown, fmt.Sprintf("There is no environment %s that is in use.", name))
			return principal, false
		}
	}
	return principal, true
}

// serve writes a stream.
func (s *Streams) serve(w http.ResponseWriter, r *http.Request) {
	names, _ := environmentsIn(r.URL.Query()) // which admit has verified
	h := w.Header()
	h.Set("Content-Type", api.EventStreamMedia)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if !s.options.Stream(w) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lifetime)
	defer cancel()
	stream := &stream{streams: s, request: r, out: w}
	for _, name := range names {
		stream.places = append(stream.places, &place{environment: name})
	}
	stream.run(ctx, r.Header.Get("Last-Event-ID"))
}

func refuse(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", api.ProblemMedia)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, api.Problem{Type: kind, Title: http.StatusText(status), Status: status, Detail: detail}) // fails only when the client is gone
}
