package flagd

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// answer is the outcome of an evaluation, before a version of the protocol gives it its form. Without a variant the caller's default
// applies.
type answer[T any] struct {
	value    T
	variant  *string
	reason   string
	metadata *structpb.Struct
}

// question is what a request asks.
type question struct {
	header  http.Header
	key     string
	context *structpb.Struct
}

func questionOf[T any, P interface {
	*T
	GetFlagKey() string
	GetContext() *structpb.Struct
}](request *connect.Request[T]) question {
	message := P(request.Msg)
	return question{header: request.Header(), key: message.GetFlagKey(), context: message.GetContext()}
}

// resolve answers a question by a value that read can read.
func resolve[T any](ctx context.Context, s *Server, asked question, read func(eval.Result) (T, bool)) (answer[T], error) {
	q := s.requests.Get().(*resolver.Request)
	defer s.requests.Put(q)
	if err := s.options.Resolver.Begin(ctx, q, []byte(asked.key), resolver.HeadersOf(asked.header)); err != nil {
		return answer[T]{}, s.notBegun(err)
	}
	defer q.End()
	setRevision(ctx, q.View())
	data, err := appendStruct(nil, asked.context)
	if err != nil {
		return answer[T]{}, s.badContext(err)
	}
	result, err := q.Answer(data)
	switch {
	case err != nil:
		return answer[T]{}, s.badContext(err)
	case result.ErrorCode != "":
		return answer[T]{}, failure(result.ErrorCode, result.Detail)
	case result.Reason == eval.ReasonStatic:
		s.eventRepeat.kept(time.Now())
	}
	a, err := answerOf(&result, read)
	if err == nil {
		q.Exposed(&result)
	}
	a.reason = string(reasonOf(&result, q.Demanding() || !q.Newest()))
	return a, err
}

// setRevision names the revision that an answer rests on, unless its flags never were in a log.
func setRevision(ctx context.Context, view *cache.View) {
	if call, ok := connect.CallInfoForHandlerContext(ctx); ok && view.Revision() != "" {
		call.ResponseHeader().Set(resolver.HeaderRevision, view.Revision())
	}
}

// notBegun is the answer to a request that the resolver did not begin: it does not know enough, or cannot do what the headers demand.
func (s *Server) notBegun(err error) error {
	switch {
	case errors.Is(err, resolver.ErrNotReady):
		s.options.Resolver.Fail(eval.ErrorProviderNotReady)
	case errors.Is(err, resolver.ErrSelector), errors.Is(err, resolver.ErrRequirement):
		s.options.Resolver.Fail(eval.ErrorGeneral)
		return connect.NewError(connect.CodeInvalidArgument, err)
	case errors.Is(err, resolver.ErrOtherEpoch), errors.Is(err, resolver.ErrPinGone):
		return connect.NewError(connect.CodeFailedPrecondition, err)
	}
	return connect.NewError(connect.CodeUnavailable, err)
}

// badContext is the answer to a request whose evaluation context cannot be used.
func (s *Server) badContext(err error) error {
	s.options.Resolver.Fail(eval.ErrorInvalidContext)
	return failure(eval.ErrorInvalidContext, err.Error())
}

// answerOf gives a result without an error its type.
func answerOf[T any](result *eval.Result, read func(eval.Result) (T, bool)) (a answer[T], err error) {
	if a.metadata, err = structOf(result.Metadata); err != nil {
		return a, failure(eval.ErrorGeneral, "the metadata of the flag have no form in this protocol")
	}
	if result.Variant == nil {
		return a, nil
	}
	value, ok := read(*result)
	if !ok {
		return a, failure(eval.ErrorTypeMismatch, "the value of the flag is of another type, or would lose digits")
	}
	name := result.Variant.Name()
	a.value, a.variant = value, &name
	return a, nil
}

// reasonOf returns the reason of a result. Providers keep STATIC answers until an event names the flag, so an answer that has to be
// asked for again is not STATIC here: because only the sidecar knows how fresh it is, or because flags changed while it was made, so that
// the event may have been sent before it.
func reasonOf(result *eval.Result, again bool) eval.Reason {
	if result.Reason != eval.ReasonStatic {
		return result.Reason
	}
	if again || result.Flag.Freshness() == eval.FreshnessAlwaysFresh || result.Flag.MaxStaleness() > 0 {
		return eval.ReasonDefault
	}
	return eval.ReasonStatic
}

// object reads an object, whose numbers are 64-bit floating point in Protocol Buffers.
func object(result eval.Result) (*structpb.Struct, bool) {
	raw, ok := result.Object()
	if !ok {
		return nil, false
	}
	s, err := structOf(raw)
	return s, err == nil
}

// failure is an evaluation error in the codes that flagd uses.
func failure(code eval.ErrorCode, detail string) error {
	status := connect.CodeUnknown
	switch code {
	case eval.ErrorFlagNotFound:
		status = connect.CodeNotFound
	case eval.ErrorTypeMismatch, eval.ErrorInvalidContext, eval.ErrorTargetingKeyMissing:
		status = connect.CodeInvalidArgument
	case eval.ErrorParse:
		status = connect.CodeDataLoss
	case eval.ErrorProviderNotReady:
		status = connect.CodeUnavailable
	default:
	}
	return connect.NewError(status, errors.New(string(code)+": "+detail))
}
