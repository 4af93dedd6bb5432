package flagd

import (
	"context"

	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/eval"
)

// evaluationV2 is flagd.evaluation.v2.Service.
type evaluationV2 struct{ server *Server }

// given returns the value if there is one.
func (a answer[T]) given() *T {
	if a.variant == nil {
		return nil
	}
	return &a.value
}

// ResolveBoolean implements the service.
func (e evaluationV2) ResolveBoolean(
	ctx context.Context, request *connect.Request[evaluationv2.ResolveBooleanRequest],
) (*connect.Response[evaluationv2.ResolveBooleanResponse], error) {
	a, err := resolve(ctx, e.server, questionOf(request), eval.Result.Bool)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv2.ResolveBooleanResponse{
		Value: a.given(), Variant: a.variant, Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveString implements the service.
func (e evaluationV2) ResolveString(
	ctx context.Context, request *connect.Request[evaluationv2.ResolveStringRequest],
) (*connect.Response[evaluationv2.ResolveStringResponse], error) {
	a, err := resolve(ctx, e.server, questionOf(request), eval.Result.Text)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv2.ResolveStringResponse{
		Value: a.given(), Variant: a.variant, Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveFloat implements the service.
func (e evaluationV2) ResolveFloat(
	ctx context.Context, request *connect.Request[evaluationv2.ResolveFloatRequest],
) (*connect.Response[evaluationv2.ResolveFloatResponse], error) {
	a, err := resolve(ctx, e.server, questionOf(request), eval.Result.Float64)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv2.ResolveFloatResponse{
		Value: a.given(), Variant: a.variant, Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveInt implements the service.
func (e evaluationV2) ResolveInt(
	ctx context.Context, request *connect.Request[evaluationv2.ResolveIntRequest],
) (*connect.Response[evaluationv2.ResolveIntResponse], error) {
	a, err := resolve(ctx, e.server, questionOf(request), eval.Result.Int64)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv2.ResolveIntResponse{
		Value: a.given(), Variant: a.variant, Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// ResolveObject implements the service.
func (e evaluationV2) ResolveObject(
	ctx context.Context, request *connect.Request[evaluationv2.ResolveObjectRequest],
) (*connect.Response[evaluationv2.ResolveObjectResponse], error) {
	a, err := resolve(ctx, e.server, questionOf(request), object)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&evaluationv2.ResolveObjectResponse{
		Value: a.value, Variant: a.variant, Reason: a.reason, Metadata: a.metadata,
	}), nil
}

// EventStream implements the service.
func (e evaluationV2) EventStream(
	ctx context.Context, request *connect.Request[evaluationv2.EventStreamRequest], stream *connect.ServerStream[evaluationv2.EventStreamResponse],
) error {
	return e.server.events(ctx, request.Header(), func(kind string, data *structpb.Struct) error {
		return stream.Send(&evaluationv2.EventStreamResponse{Type: kind, Data: data})
	})
}
