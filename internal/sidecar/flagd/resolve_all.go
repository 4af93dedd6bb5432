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
	q := s.bulkRequests.Get().(*resolver.BulkRequest)
	defer s.bulkRequests.Put(q)
	if err := s.options.Resolver.BeginAll(ctx, q, resolver.HeadersOf(request.Header())); err != nil {
		return nil, s.notBegun(err)
	}
	defer q.End()
	setRevision(ctx, q.View())
	s.making <- struct{}{}
	defer func() { <-s.making }()
	data, err := appendStruct(nil, request.Msg.GetContext())
	if err != nil {
		return nil, s.badContext(err)
	}
	results, err := q.Results(data)
	if err != nil {
		return nil, s.badContext(err)
	}
	all := &evaluationv1.ResolveAllResponse{Flags: make(map[string]*evaluationv1.AnyFlag)}
	if all.Metadata, err = structOf(results.Metadata()); err != nil {
		return nil, failure(eval.ErrorGeneral, "the selector has no form in this protocol")
	}
	for result := range results.All(ctx) {
		if flag := anyFlag(&result, q.Demanding()); flag != nil {
			all.Flags[result.Flag.Key()] = flag
		}
	}
	if err := results.Err(); err != nil {
		s.options.Resolver.Fail(eval.ErrorGeneral)
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
