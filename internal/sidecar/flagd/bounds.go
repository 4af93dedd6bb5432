package flagd

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/flagside/flagside/internal/inflight"
	"github.com/flagside/flagside/internal/listen"
)

// requestCost is how many bytes every request counts as, whatever it says: about what a goroutine, its buffers and a header take.
const requestCost = 16 << 10

// valuesFactor is how many times as much as its encoding an answer takes that is made of values.
const valuesFactor = 4

// jsonFactor is how many times as long as in Protocol Buffers an answer may be in JSON.
const jsonFactor = 3

// errBusy refuses what there is no memory for now.
var errBusy = errors.New("too many answers wait on this port, because clients do not read them: try again")

// busy returns the error of a request that there is no memory for now.
func busy() *connect.Error {
	err := connect.NewError(connect.CodeResourceExhausted, errBusy)
	err.Meta().Set("Retry-After", "1")
	return err
}

// clientKey is the key of who has the connection of a request, in its context.
type clientKey struct{}

// holderKey is the key of who that is among those who hold streams.
type holderKey struct{}

// withClient is the ConnContext of a server.
func withClient(ctx context.Context, c net.Conn) context.Context {
	ctx = context.WithValue(ctx, holderKey{}, listen.HolderOf(c))
	return context.WithValue(ctx, clientKey{}, listen.Client(c))
}

// chargeKey is the key of the charge of a request, in its context.
type chargeKey struct{}

// charge is what a request has taken of the budget. It belongs to the goroutine of the request.
type charge struct {
	budget *inflight.Budget
	taken  int64
	// first is whether its client had no other request under way. Then it is not refused for being small, so that many requests of some
	// clients do not stop the single ones of others.
	first bool
}

func (c *charge) take(bytes int) bool {
	if c.first && bytes <= requestCost {
		c.budget.Force(int64(bytes))
		c.taken += int64(bytes)
		return true
	}
	taken, ok := c.budget.Take(int64(bytes))
	c.taken += taken
	return ok
}

// bounded refuses requests that there is no memory for, or no place for their client, and gives back what the others have taken.
func (s *Server) bounded(next http.Handler) http.Handler {
	refusals := connect.NewErrorWriter(s.handlerOptions()...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := r.Context().Value(clientKey{})
		admitted, first := s.places.TakeFirst(client)
		c := &charge{budget: s.budget, first: first}
		if admitted {
			defer s.places.Release(client)
		}
		if !admitted || !c.take(requestCost) {
			s.options.Metrics.Busy(s.label)
			refuseBusy(refusals, w, r)
			return
		}
		defer func() { s.budget.Release(c.taken) }()
		r = r.WithContext(context.WithValue(r.Context(), chargeKey{}, c))
		r.Body = chargedBody{r.Body, c}
		next.ServeHTTP(w, r)
	})
}

// refuseBusy answers in the protocol of the request.
func refuseBusy(refusals *connect.ErrorWriter, w http.ResponseWriter, r *http.Request) {
	if refusals.IsSupported(r) {
		_ = refusals.Write(w, r, busy()) // a client that has gone needs no answer
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, errBusy.Error(), http.StatusServiceUnavailable)
}

// chargedBody is a body that takes of the budget what arrives.
type chargedBody struct {
	io.ReadCloser

	charge *charge
}

// Read implements io.Reader.
func (b chargedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.charge.take(n) {
		return 0, busy()
	}
	return n, err
}

// bounds is the interceptor that lets answers take of the budget until clients have taken them.
type bounds struct{ server *Server }

// WrapUnary refuses answers that there is no memory for. The request gives back what it has taken when the answer is written.
func (b bounds) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, request)
		if err != nil {
			return nil, err
		}
		if c, ok := ctx.Value(chargeKey{}).(*charge); ok && !c.take(sizeOf(response.Any(), request.Header())) {
			b.server.options.Metrics.Busy(b.server.label)
			return nil, busy()
		}
		return response, nil
	}
}

// WrapStreamingClient implements connect.Interceptor. There are no clients here.
func (bounds) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler lets each message of a stream wait until there is memory for it.
func (b bounds) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, boundedConn{conn, ctx, b.server})
	}
}

// boundedConn is the connection of a stream.
type boundedConn struct {
	connect.StreamingHandlerConn

	ctx    context.Context //nolint:containedctx // it is that of the stream, like the connection
	server *Server
}

// Send writes a message once there is memory for it. Both have to happen in time.
func (c boundedConn) Send(message any) error {
	if message == nil { // only the header
		return c.StreamingHandlerConn.Send(nil)
	}
	waiting, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	taken, err := c.server.budget.Wait(waiting, int64(sizeOf(message, c.RequestHeader())))
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case err != nil:
		c.server.options.Metrics.Busy(c.server.label)
		return busy()
	}
	defer c.server.budget.Release(taken)
	return inTime(c.ctx, func() error { return c.StreamingHandlerConn.Send(message) })
}

// sizeOf returns about how many bytes a message has on its way.
func sizeOf(v any, request http.Header) int {
	if shared, ok := v.(*message); ok { // which is copied as it is
		return len(shared.encoded)
	}
	m, ok := v.(proto.Message)
	if !ok {
		return 0
	}
	factor := valuesFactor
	if strings.Contains(request.Get("Content-Type"), "json") {
		factor *= jsonFactor
	}
	return factor * proto.Size(m)
}
