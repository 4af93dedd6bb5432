package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/flagside/flagside/internal/inflight"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher/api"
)

const (
	// requestCost is how many bytes every request counts as, whatever it says: about what a goroutine, its buffers and a header take.
	requestCost = 16 << 10
	// streamCost is how many bytes an export counts as, which is sent as it is made, and eventStreamCost a stream of events.
	streamCost      = 1 << 20
	eventStreamCost = 64 << 10
	// minPlaces is how many requests may be under way however small the budget is.
	minPlaces = 64
)

// A client has answerTime to take an answer, and a second more for each answerRate bytes of it.
const (
	answerTime = 2 * time.Minute
	answerRate = 64 << 10
	piece      = 64 << 10 // bytes that are written between two looks at the clock
)

// errBusy ends the reading of a body that there is no memory for.
var errBusy = errors.New("the memory for requests and answers is in use")

// clientKey is the key of who has the connection of a request, in its context.
type clientKey struct{}

// WithClient is the ConnContext of a server whose handlers are bounded.
func WithClient(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, clientKey{}, listen.Client(c))
}

// ClientOf returns who has the connection of a request, as WithClient noted it.
func ClientOf(r *http.Request) any { return r.Context().Value(clientKey{}) }

// Stream lets what a handler within bounds writes go to the client at once, and reports whether there is memory for that. Otherwise the handler returns.
func Stream(w http.ResponseWriter) bool {
	a, ok := w.(*answer)
	return !ok || a.stream(eventStreamCost)
}

// Bounds keep what requests and answers have under way within a budget. Answers are made in memory, which counts until the client has taken
// them; what there is no memory for is answered with 503. Create them with NewBounds. Safe for concurrent use.
type Bounds struct {
	budget  *inflight.Budget
	places  *listen.Shares // of requests
	refused func()
}

// NewBounds returns bounds of a number of bytes; 0 means inflight.Default. refused is called for each request that is refused.
func NewBounds(most int64, refused func()) *Bounds {
	if most == 0 {
		most = inflight.Default
	}
	return &Bounds{budget: inflight.New(most), places: listen.NewShares(max(minPlaces, int(most/requestCost))), refused: refused}
}

// Handler returns next within the bounds.
func (b *Bounds) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := ClientOf(r)
		admitted, first := b.places.TakeFirst(client)
		if admitted {
			defer b.places.Release(client)
		}
		a := &answer{w: w, bounds: b, first: first, changes: r.Method != http.MethodGet && r.Method != http.MethodHead}
		defer func() { b.budget.Release(a.taken) }()
		if a.busy = !admitted; !a.busy {
			a.grow(requestCost)
		}
		if !a.busy {
			r.Body = countedBody{r.Body, a}
			next.ServeHTTP(a, r)
		}
		a.send(time.Now)
	})
}

// countedBody is a body that takes of the budget what arrives.
type countedBody struct {
	io.ReadCloser

	answer *answer
}

// Read implements io.Reader.
func (c countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if !c.answer.grow(n) {
		return 0, errBusy
	}
	return n, err
}

// answer is an answer that is made in memory and sent when it is complete. It belongs to the goroutine of its request.
type answer struct {
	w       http.ResponseWriter
	bounds  *Bounds
	first   bool // its client has no other request under way
	changes bool // the request may have changed something

	size  int64 // of the request and the answer
	taken int64 // of the budget
	busy  bool  // there is no memory for it

	status    int
	body      bytes.Buffer
	streaming bool
}

// grow takes more of the budget, and reports whether there is as much. What is small goes on if its client has nothing else under way, or may
// have changed something and has to be told.
func (a *answer) grow(n int) bool {
	if a.busy {
		return false
	}
	a.size += int64(n)
	if (a.first || a.changes) && a.size <= inflight.Small {
		a.bounds.budget.Force(int64(n))
		a.taken += int64(n)
		return true
	}
	taken, ok := a.bounds.budget.Grow(a.taken, a.size)
	a.taken, a.busy = taken, !ok
	return ok
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter. What there is no memory for is lost, and the client is told so in the end.
func (a *answer) Write(p []byte) (int, error) {
	if a.streaming {
		return a.w.Write(p)
	}
	a.WriteHeader(http.StatusOK)
	if a.grow(len(p)) {
		a.body.Write(p)
	}
	return len(p), nil
}

// SetWriteDeadline serves http.ResponseController.
func (a *answer) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(a.w).SetWriteDeadline(t)
}

// FlushError serves http.ResponseController. Only what is streamed is sent before it is complete.
func (a *answer) FlushError() error {
	if !a.streaming {
		return http.ErrNotSupported
	}
	return http.NewResponseController(a.w).Flush()
}

// stream lets what is written go to the client at once, and counts it as so many bytes. It reports whether there is memory for that.
func (a *answer) stream(cost int) bool {
	if !a.grow(cost) {
		return false
	}
	a.streaming = true
	if a.status != 0 {
		a.w.WriteHeader(a.status)
	}
	return true
}

// send sends what was made, or that there was no memory for it. A client that takes too long is cut off.
func (a *answer) send(now func() time.Time) {
	switch {
	case a.streaming:
		return
	case a.busy:
		a.bounds.refused()
		a.body = bytes.Buffer{}
		clear(a.w.Header())
		writeProblem(a.w, tooBusy(a.changes))
		return
	case a.status != 0:
		a.w.WriteHeader(a.status)
	}
	end := now().Add(answerTime + time.Duration(a.body.Len()/answerRate)*time.Second)
	for a.body.Len() > 0 {
		if _, err := a.w.Write(a.body.Next(piece)); err != nil {
			return // the client is gone
		}
		if now().After(end) {
			panic(http.ErrAbortHandler)
		}
	}
}

func tooBusy(changes bool) *problem {
	detail := "The memory for requests and answers is in use, because clients read slowly: try again later, and ask for less at a time."
	if changes {
		detail = "The memory for requests and answers is in use, because clients read slowly. The change may have been made: read it, or repeat it with the same Idempotency-Key."
	}
	return newProblem(http.StatusServiceUnavailable, api.ProblemUnavailable, detail).later()
}
