package flagd

import (
	"context"
	"errors"

	evaluationv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v1"
	"connectrpc.com/connect"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// ResolveAll implements the service. As with flagd, flags that fail and flags without a value are not in the answer.
func (e evaluationV1) ResolveAll(
	ctx context.Context, request *connect.Request[evaluationv1.ResolveAllRequest],
) (*connect.Response[evaluationv1.ResolveAllResponse], error) {
	s := e.server
	q := s.requests.Get().(*resolver.Request)
	defer s.requests.Put(q)
	if err := s.options.Resolver.Begin(q); err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	defer q.End()
	demanding, err := prepare(q, request.Header())
	if err != nil {
		return nil, err
	}
	if err := q.FreshenAll(ctx); err != nil {
		return nil, refused(err)
	}
	s.making <- struct{}{}
	defer func() { <-s.making }()
	if err := setContext(q, request.Msg.GetContext()); err != nil {
		return nil, err
	}
	all := &evaluationv1.ResolveAllResponse{Flags: make(map[string]*evaluationv1.AnyFlag)}
	if all.Metadata, err = structOf(q.Metadata()); err != nil {
		return nil, failure(eval.ErrorGeneral, "the selector has no form in this protocol")
	}
	for result := range q.EvaluateAll(ctx) {
		if flag := anyFlag(&result, demanding); flag != nil {
			all.Flags[result.Flag.Key()] = flag
		}
	}
	if err := q.Err(); err != nil {
		q.Fail(eval.ErrorGeneral)
		return nil, interrupted(err)
	}
	return connect.NewResponse(all), nil
}

// interrupted is an answer that was not finished: its time was over, or its client is gone.
func interrupted(err error) error {
	if errors.Is(err, resolver.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return connect.NewError(connect.CodeDeadlineExceeded, err)
	}
	return connect.NewError(connect.CodeCanceled, err)
}

// anyFlag returns a result as an item of ResolveAll, nil if it has no value that the item can have.
func anyFlag(result *eval.Result, demanding bool) *evaluationv1.AnyFlag {
	if result.ErrorCode != "" || result.Variant == nil {
		return nil
	}
	metadata, err := structOf(result.Metadata)
	if err != nil {
		return nil
	}
	flag := &evaluationv1.AnyFlag{
		Reason:   string(reasonOf(result, demanding)),
		Variant:  result.Variant.Name(),
		Metadata: metadata,
	}
	if b, ok := result.Bool(); ok {
		flag.Value = &evaluationv1.AnyFlag_BoolValue{BoolValue: b}
	} else if text, ok := result.Text(); ok {
		flag.Value = &evaluationv1.AnyFlag_StringValue{StringValue: text}
	} else if n, ok := result.Float64(); ok {
		flag.Value = &evaluationv1.AnyFlag_DoubleValue{DoubleValue: n}
	} else if o, ok := object(*result); ok {
		flag.Value = &evaluationv1.AnyFlag_ObjectValue{ObjectValue: o}
	} else {
		return nil
	}
	return flag
}
