package flagd

import (
	"context"

	evaluationv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v1"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/eval"
)

// evaluationV1 is flagd.evaluation.v1.Service.
type evaluationV1 struct{ server *Server }

// resolveV1 is resolve for a protocol whose values always are something: where the caller's default applies because the flag has none,
// it says NOT_FOUND, as flagd does. A disabled flag has the zero value and no variant.
func resolveV1[T any](ctx context.Context, s *Server, asked question, read func(eval.Result) (T, bool)) (answer[T], error) {
	a, err := resolve(ctx, s, asked, read)
	if err == nil && a.variant == nil && a.reason != string(eval.ReasonDisabled) {
		return a, failure(eval.ErrorFlagNotFound, "the flag has no default variant, so the default of the caller applies")
	}
	return a, err
}

// name returns the name of the variant, empty if there is none.
func (a answer[T]) name() string {
	if a.variant == nil {
		return ""
	}
	return *a.variant
}

// ResolveBoolean implements the service.
func (e evaluationV1) ResolveBoolean(
	ctx context.Context, request *connect.Request[evaluationv1.ResolveBooleanRequest],
) (*connect.Response[evaluationv1.ResolveBooleanResponse], error) {
	a, err := resolveV1(ctx, e.server, questionOf(request), eval.Result.Bool)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv1.ResolveBooleanResponse{
		Value: a.value, Variant: a.name(), Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveString implements the service.
func (e evaluationV1) ResolveString(
	ctx context.Context, request *connect.Request[evaluationv1.ResolveStringRequest],
) (*connect.Response[evaluationv1.ResolveStringResponse], error) {
	a, err := resolveV1(ctx, e.server, questionOf(request), eval.Result.Text)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv1.ResolveStringResponse{
		Value: a.value, Variant: a.name(), Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveFloat implements the service.
func (e evaluationV1) ResolveFloat(
	ctx context.Context, request *connect.Request[evaluationv1.ResolveFloatRequest],
) (*connect.Response[evaluationv1.ResolveFloatResponse], error) {
	a, err := resolveV1(ctx, e.server, questionOf(request), eval.Result.Float64)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv1.ResolveFloatResponse{
		Value: a.value, Variant: a.name(), Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveInt implements the service.
func (e evaluationV1) ResolveInt(
	ctx context.Context, request *connect.Request[evaluationv1.ResolveIntRequest],
) (*connect.Response[evaluationv1.ResolveIntResponse], error) {
	a, err := resolveV1(ctx, e.server, questionOf(request), eval.Result.Int64)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv1.ResolveIntResponse{
		Value: a.value, Variant: a.name(), Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveObject implements the service.
func (e evaluationV1) ResolveObject(
	ctx context.Context, request *connect.Request[evaluationv1.ResolveObjectRequest],
) (*connect.Response[evaluationv1.ResolveObjectResponse], error) {
	a, err := resolveV1(ctx, e.server, questionOf(request), object)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv1.ResolveObjectResponse{
		Value: a.value, Variant: a.name(), Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// EventStream implements the service.
func (e evaluationV1) EventStream(
	ctx context.Context, request *connect.Request[evaluationv1.EventStreamRequest], stream *connect.ServerStream[evaluationv1.EventStreamResponse],
) error {
	return e.server.events(ctx, request.Header(), func(kind string, data *structpb.Struct) error {
		return stream.Send(&evaluationv1.EventStreamResponse{Type: kind, Data: data})
	})
}
