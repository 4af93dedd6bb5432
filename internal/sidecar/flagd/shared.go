package flagd

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"

	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/sync/v1/syncv1connect"
	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/flagside/flagside/internal/inflight"
)

// form is how a document is sent.
type form struct {
	stream bool // as a message of SyncFlags, which has the context too; else as the answer of FetchAllFlags
	json   bool // else as Protocol Buffers
}

// formOf returns the form that a request asks for.
func formOf(request http.Header, stream bool) form {
	return form{stream: stream, json: strings.Contains(request.Get("Content-Type"), "json")}
}

// encode returns the message that carries a document.
func (f form) encode(document string, d *Documents) ([]byte, error) {
	var answer proto.Message = &syncv1.FetchAllFlagsResponse{FlagConfiguration: document}
	if f.stream {
		answer = &syncv1.SyncFlagsResponse{FlagConfiguration: document, SyncContext: d.context}
	}
	if f.json {
		return protojson.Marshal(answer)
	}
	return proto.Marshal(answer)
}

// message is an encoded answer that all clients share that ask for the same. Safe for concurrent use.
type message struct {
	encoded []byte            // must not be modified
	content [sha256.Size]byte // the digest of its document

	mu      sync.Mutex // guards what follows
	senders int
	taken   int64         // of the budget, once for all senders
	held    chan struct{} // closed when the first one sends; nil if none waits
}

// hold takes the message's bytes of the budget, unless another client is being sent them already. It reports whether they may be sent. Each
// hold needs a release.
func (m *message) hold(budget *inflight.Budget) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.join(budget)
}

func (m *message) join(budget *inflight.Budget) bool {
	if m.senders == 0 {
		taken, ok := budget.Take(int64(len(m.encoded)))
		if !ok {
			return false
		}
		m.taken = taken
		if m.held != nil {
			close(m.held)
			m.held = nil
		}
	}
	m.senders++
	return true
}

// wait is hold that waits until there are as many bytes left, or another client is sent them. It returns an error only when ctx ends before.
func (m *message) wait(ctx context.Context, budget *inflight.Budget) error {
	for {
		freed := budget.Freed() // before looking, so that nothing is missed
		held := m.holdOrWait(budget)
		if held == nil {
			return nil
		}
		select {
		case <-freed:
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// holdOrWait holds, or returns what is closed when another does.
func (m *message) holdOrWait(budget *inflight.Budget) (held <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.join(budget) {
		return nil
	}
	if m.held == nil {
		m.held = make(chan struct{})
	}
	return m.held
}

// release undoes a hold.
func (m *message) release(budget *inflight.Budget) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.senders--; m.senders == 0 {
		budget.Release(m.taken)
	}
}

// maxPrefix is how many bytes stand before each message of a stream: whether it is compressed, and its length.
const maxPrefix = 5

// write sends the message on a stream. Its bytes are not copied, which is why they go past Connect: all its protocols have the same messages.
func (m *message) write(ctx context.Context, conn connect.StreamingHandlerConn) error {
	if err := conn.Send(nil); err != nil { // prepares the header
		return err
	}
	w := ctx.Value(writerKey{}).(http.ResponseWriter)
	prefix := binary.BigEndian.AppendUint32(make([]byte, 1, maxPrefix), uint32(len(m.encoded)))
	for _, part := range [][]byte{prefix, m.encoded} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return deadlines(ctx).Flush()
}

// fetchHandler returns what answers FetchAllFlags. An answer over gRPC has the form of a stream of one message, and shares its bytes; those of
// Connect are copied.
func (y syncV1) fetchHandler(options []connect.HandlerOption) http.Handler {
	const procedure = syncv1connect.FlagSyncServiceFetchAllFlagsProcedure
	unary := connect.NewUnaryHandler(procedure, y.fetch, options...)
	shared := connect.NewServerStreamHandler(procedure, y.fetchShared, options...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			shared.ServeHTTP(w, r)
			return
		}
		unary.ServeHTTP(w, r)
	})
}
