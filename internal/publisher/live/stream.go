package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	documents "github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/sync/changelog"
)

// The types of events.
const (
	changeEvent  = "change"
	requestEvent = "request"
	resetEvent   = "reset"
)

// moved is what an event says.
type moved struct {
	Environment string `json:"environment"`
	// Revision is that of a change, or the one from which on news are told after a reset.
	Revision string `json:"revision,omitempty"`
	// Documents are those that a change or a change request is about.
	Documents []document `json:"documents,omitempty"`
	// Actor is the opaque id of who did it.
	Actor string `json:"actor,omitempty"`
	// Request is the id of a change request. An event of a request without one tells that any may have moved while the client was away.
	Request string `json:"request,omitempty"`
	// Step is what happened to the change request, such as request.approved.
	Step string `json:"step,omitempty"`
}

type document struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// stream is one event stream. It belongs to the goroutine of its request.
type stream struct {
	streams *Streams
	request *http.Request
	out     io.Writer
	places  []*place

	checked time.Time // when it was last found out whether the client may read
	written time.Time
}

// run writes events until the stream is over.
func (s *stream) run(ctx context.Context, last string) {
	if !s.begin(ctx, last) {
		return
	}
	ticks := time.NewTicker(lookInterval)
	defer ticks.Stop()
	for s.permitted(ctx) && s.look(ctx) {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		case <-s.streams.stop:
			return
		}
	}
}

// begin finds the places from which on news are told: the present ones, or where the client says that it was, if that is known to be a place of the past.
func (s *stream) begin(ctx context.Context, last string) bool {
	tokens, known := parseID(last, len(s.places))
	for i, p := range s.places {
		if err := p.start(ctx, s.streams.options.Control, last != ""); err != nil {
			return false // the client comes again
		}
		switch {
		case last == "":
		case known && p.resume(tokens[i]):
			if !s.send(requestEvent, moved{Environment: p.environment}) { // what happened to requests meanwhile is not in an id
				return false
			}
		default:
			if !s.reset(p) {
				return false
			}
		}
	}
	return s.write("retry: 2000\nid: " + s.id() + "\n\n")
}

// id returns the id behind everything that was told.
func (s *stream) id() string {
	tokens := make([]changelog.Token, len(s.places))
	for i, p := range s.places {
		tokens[i] = p.token()
	}
	return idOf(tokens)
}

// permitted reports whether the client still is who it said, and may read: sessions end and tokens are revoked while they read.
func (s *stream) permitted(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	if time.Since(s.checked) < checkInterval {
		return true
	}
	s.checked = time.Now()
	principal, err := s.streams.options.Authenticate(s.request)
	if errors.Is(err, access.ErrUnavailable) {
		return true // it is found out later
	}
	if err != nil {
		return false
	}
	for _, p := range s.places {
		if !s.streams.options.MayRead(ctx, principal, p.environment) {
			return false
		}
	}
	return true
}

// look tells what is new in all environments, and reports whether the stream goes on.
func (s *stream) look(ctx context.Context) bool {
	for _, p := range s.places {
		if !s.tell(ctx, p) {
			return false
		}
	}
	return time.Since(s.written) < quietTime || s.write(": quiet\n\n")
}

// tell tells what is new in an environment.
func (s *stream) tell(ctx context.Context, p *place) bool {
	found, err := p.news(ctx, s.streams.options.Control)
	switch {
	case errors.Is(err, errCannotTell):
		return s.reset(p)
	case errors.Is(err, errGone):
		return false
	case err != nil:
		return true // the next look may succeed
	}
	for _, one := range found {
		p.told(one)
		if !s.send(one.event, one.moved) {
			return false
		}
	}
	p.caughtUp()
	return true
}

// reset tells that the client has to read the environment anew.
func (s *stream) reset(p *place) bool {
	p.caughtUp()
	return s.send(resetEvent, moved{Environment: p.environment, Revision: p.token().String()})
}

func (s *stream) send(event string, m moved) bool {
	data, err := json.Marshal(m)
	if err != nil {
		return false
	}
	return s.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", s.id(), event, data))
}

func (s *stream) write(text string) bool {
	w, ok := s.out.(http.ResponseWriter)
	if !ok {
		return false
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(writeTime)) // best effort
	_, err := io.WriteString(w, text)
	s.written = time.Now()
	return err == nil && c.Flush() == nil
}

func documentsOf(all []api.EventDocument) []document {
	var out []document
	for _, d := range all {
		if d.Kind == string(documents.KindKeys) { // which is no one's document
			continue
		}
		out = append(out, document{Kind: d.Kind, Key: d.Key})
	}
	return out
}
