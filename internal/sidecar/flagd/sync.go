package flagd

import (
	"context"
	"errors"

	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"

	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// syncV1 is flagd.sync.v1.FlagSyncService.
type syncV1 struct{ server *Server }

// syncRequest is what the requests for flags have in common.
type syncRequest interface{ GetSelector() string }

// selection returns the selection of a request. The header wins over the body.
func selection[T any, P interface {
	*T
	syncRequest
}](request *connect.Request[T]) (*resolver.Request, error) {
	expression := request.Header().Get(selectorHeader)
	if expression == "" {
		expression = P(request.Msg).GetSelector()
	}
	selected := new(resolver.Request)
	if err := selected.Select([]byte(expression)); err != nil {
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
	documents := y.server.options.Documents
	return y.server.stream(ctx, "sync", func(ctx context.Context, subscription *changes.Subscription) error {
		sent := ""
		for first := true; ; first = false {
			if document := documents.current(selected); first || document != sent {
				answer := &syncv1.SyncFlagsResponse{FlagConfiguration: document, SyncContext: documents.context}
				if err := stream.Send(answer); err != nil {
					return err
				}
				sent = document
			}
			if _, err := subscription.Next(ctx); err != nil {
				return err
			}
		}
	})
}

// FetchAllFlags implements the service.
func (y syncV1) FetchAllFlags(
	_ context.Context, request *connect.Request[syncv1.FetchAllFlagsRequest],
) (*connect.Response[syncv1.FetchAllFlagsResponse], error) {
	selected, err := selection(request)
	if err != nil {
		return nil, err
	}
	documents := y.server.options.Documents
	if documents.views.View() == nil {
		return nil, connect.NewError(connect.CodeUnavailable, resolver.ErrNotReady)
	}
	return connect.NewResponse(&syncv1.FetchAllFlagsResponse{FlagConfiguration: documents.current(selected)}), nil
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
