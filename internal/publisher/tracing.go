package publisher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/writer"
)

// tracing makes spans around what takes time between a request and its answer. Spans have the names of environments, the kinds of
// commands, revisions and outcomes; nothing of documents, and no names of people.
type tracing struct {
	tracer      trace.Tracer
	environment attribute.KeyValue
}

func newTracing(tracer trace.Tracer, environment string) tracing {
	return tracing{tracer: tracer, environment: attribute.String("flagside.environment", environment)}
}

// begin begins a span. The returned function ends it.
func (t tracing) begin(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, func(error, ...attribute.KeyValue)) {
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(append(attributes, t.environment)...))
	return ctx, func(err error, more ...attribute.KeyValue) {
		span.SetAttributes(more...)
		if err != nil {
			span.SetStatus(codes.Error, errorType(err))
			span.SetAttributes(attribute.String("error.type", errorType(err)))
		}
		span.End()
	}
}

// errorType returns a name for an error. Its text may quote a document, so it is not part of a span.
func errorType(err error) string {
	if refusal, ok := errors.AsType[*decide.Refusal](err); ok {
		return fmt.Sprint(refusal.Cause)
	}
	return fmt.Sprintf("%T", err)
}

// decide begins the span of a decision. The returned function ends it.
func (t tracing) decide(ctx context.Context, c decide.Command) func(error) {
	kind := fmt.Sprintf("%T", c)
	_, end := t.begin(ctx, "decide", attribute.String("flagside.command", strings.ToLower(kind[strings.LastIndexByte(kind, '.')+1:])))
	return func(err error) { end(err) }
}

// served makes the span of a change from its commit until every sidecar served it. It is a trace of its own: the request that made the change
// was answered long before.
func (t tracing) served(s fleet.Serving, committed time.Time) {
	_, span := t.tracer.Start(context.Background(), "propagation", trace.WithNewRoot(), trace.WithTimestamp(committed), trace.WithAttributes(
		t.environment, attribute.Int64("flagside.revision", int64(s.Position.Revision)), attribute.Int("flagside.sidecars", s.Sidecars)))
	span.End(trace.WithTimestamp(committed.Add(s.After)))
}

// tracedFollower is a follower whose barriers are spans.
type tracedFollower struct {
	control.Follower

	tracing tracing
}

// Barrier implements control.Follower.
func (f tracedFollower) Barrier(ctx context.Context) error {
	ctx, end := f.tracing.begin(ctx, "barrier")
	err := f.Follower.Barrier(ctx)
	end(err)
	return err
}

// tracedLog is a log whose appends are spans.
type tracedLog struct {
	control.Log

	tracing tracing
}

// Append implements control.Log.
func (l tracedLog) Append(ctx context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error) {
	ctx, end := l.tracing.begin(ctx, "append", attribute.Int("flagside.documents", len(c.Documents)))
	outcome, err := l.Log.Append(ctx, basis, c)
	end(err,
		attribute.String("flagside.outcome", outcome.State.String()),
		attribute.Int64("flagside.revision", int64(outcome.Position.Revision)),
	)
	return outcome, err
}
