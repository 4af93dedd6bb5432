package flagd

import (
	"context"
	"crypto/sha256"
	"errors"

	"buf.build/gen/go/open-feature/flagd/connectrpc/go/flagd/sync/v1/syncv1connect"
	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"

	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// syncV1 is flagd.sync.v1.FlagSyncService. FetchAllFlags has a handler of its own.
type syncV1 struct {
	syncv1connect.UnimplementedFlagSyncServiceHandler

	server *Server
}

// syncRequest is what the requests for flags have in common.
type syncRequest interface{ GetSelector() string }

// selection returns the selection of a request. The header wins over the body.
func selection[T any, P interface {
	*T
	syncRequest
}](request *connect.Request[T]) (*resolver.Selector, error) {
	expression := request.Header().Get(resolver.HeaderSelector)
	if expression == "" {
		expression = P(request.Msg).GetSelector()
	}
	selected := new(resolver.Selector)
	if err := selected.Parse([]byte(expression)); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	return selected, nil
}

// SyncFlags implements the service: it sends all selected flags, and again whenever one of them changes.
func (y syncV1) SyncFlags(
	ctx context.Context, request *connect.Request[syncv1.SyncFlagsRequest], stream *connect.ServerStream[syncv1.SyncFlagsResponse],
) error {
	selected, err := selection(request)
	if err != nil {
		return err
	}
	documents, form := y.server.options.Documents, formOf(request.Header(), true)
	return y.server.stream(ctx, "sync", request.Header(), func(ctx context.Context, subscription *changes.Subscription) error {
		var sent [sha256.Size]byte // the zero value is no digest
		for {
			answer, err := documents.message(selected, form)
			if err != nil {
				return connect.NewError(connect.CodeInternal, err)
			}
			if answer.content != sent {
				if err := y.server.sendShared(ctx, stream.Conn(), answer); err != nil {
					return err
				}
				sent = answer.content
			}
			if _, err := subscription.Next(ctx); err != nil {
				return err
			}
		}
	})
}

// sendShared sends a message of a stream once there is memory for it, or at once if other streams are being sent the same. Both have to happen in
// time.
func (s *Server) sendShared(ctx context.Context, conn connect.StreamingHandlerConn, m *message) error {
	waiting, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := m.wait(waiting, s.budget)
	switch {
	case ctx.Err() != nil && err != nil:
		return ctx.Err()
	case err != nil:
		s.options.Metrics.Busy(s.label)
		return busy()
	}
	defer m.release(s.budget)
	return inTime(ctx, func() error { return m.write(ctx, conn) })
}

// fetchAll returns the answer of FetchAllFlags.
func (y syncV1) fetchAll(request *connect.Request[syncv1.FetchAllFlagsRequest]) (*message, error) {
	selected, err := selection(request)
	if err != nil {
		return nil, err
	}
	documents := y.server.options.Documents
	if documents.views.View() == nil {
		return nil, connect.NewError(connect.CodeUnavailable, resolver.ErrNotReady)
	}
	answer, err := documents.message(selected, formOf(request.Header(), false))
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return answer, nil
}

// fetch is FetchAllFlags over Connect.
func (y syncV1) fetch(_ context.Context, request *connect.Request[syncv1.FetchAllFlagsRequest]) (*connect.Response[message], error) {
	answer, err := y.fetchAll(request)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(answer), nil
}

// fetchShared is FetchAllFlags over gRPC.
func (y syncV1) fetchShared(
	ctx context.Context, request *connect.Request[syncv1.FetchAllFlagsRequest], stream *connect.ServerStream[syncv1.FetchAllFlagsResponse],
) error {
	answer, err := y.fetchAll(request)
	if err != nil {
		return err
	}
	if !answer.hold(y.server.budget) {
		y.server.options.Metrics.Busy(y.server.label)
		return busy()
	}
	defer answer.release(y.server.budget)
	return answer.write(ctx, stream.Conn())
}

// GetMetadata implements the service, which providers used to call before SyncFlags carried the context.
func (y syncV1) GetMetadata(
	context.Context, *connect.Request[syncv1.GetMetadataRequest], //nolint:staticcheck // as above
) (*connect.Response[syncv1.GetMetadataResponse], error) { //nolint:staticcheck // as above
	documents := y.server.options.Documents
	if documents.views.View() == nil {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("no complete set of flags is known yet"))
	}
	return connect.NewResponse(&syncv1.GetMetadataResponse{Metadata: documents.context}), nil //nolint:staticcheck // as above
}
