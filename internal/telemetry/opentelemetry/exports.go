package opentelemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	meternoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// stopTimeout is how long what was not exported yet may take at the end.
const stopTimeout = 5 * time.Second

// Options say what is exported.
type Options struct {
	// Service and Version name the program; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override them.
	Service, Version string
	// Lookup reads environment variables. It is required. The exporters read theirs from the process all the same.
	Lookup func(name string) (string, bool)
	// Metrics are exported beside what is measured with Handler. Nil is none.
	Metrics prometheus.Gatherer
}

// Exports are the exports of a program. Its providers do nothing for a signal that is not exported. Create it with Start.
type Exports struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
	stops   []func(context.Context) error
}

// Start begins to export what the environment asks for, nothing if it names no endpoint. What is started ends with Stop.
func Start(ctx context.Context, o Options) (*Exports, error) {
	s, err := readSettings(o.Lookup)
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	e := &Exports{traces: tracenoop.NewTracerProvider(), metrics: meternoop.NewMeterProvider()}
	if s == (settings{}) {
		return e, nil
	}
	described, err := describe(ctx, o)
	if err == nil {
		err = e.startTraces(ctx, s.traces, described)
	}
	if err == nil {
		err = e.startMetrics(ctx, s.metrics, described, o.Metrics)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("OpenTelemetry: %w", err), e.Stop())
	}
	return e, nil
}

// describe says which program exports.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", o.Service), attribute.String("service.version", o.Version)),
		resource.WithFromEnv(),
	)
}

func (e *Exports) startTraces(ctx context.Context, p protocol, described *resource.Resource) error {
	var exporter sdktrace.SpanExporter
	var err error
	switch p {
	case protocolGRPC:
		exporter, err = otlptracegrpc.New(ctx)
	case protocolHTTP:
		exporter, err = otlptracehttp.New(ctx)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	e.traces = provider
	e.stops = append(e.stops, provider.Shutdown)
	return nil
}

func (e *Exports) startMetrics(ctx context.Context, p protocol, described *resource.Resource, gatherer prometheus.Gatherer) error {
	var exporter sdkmetric.Exporter
	var err error
	switch p {
	case protocolGRPC:
		exporter, err = otlpmetricgrpc.New(ctx)
	case protocolHTTP:
		exporter, err = otlpmetrichttp.New(ctx)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	var options []sdkmetric.PeriodicReaderOption
	if gatherer != nil {
		options = append(options, sdkmetric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(gatherer))))
	}
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, options...)), sdkmetric.WithResource(described))
	e.metrics = provider
	e.stops = append(e.stops, provider.Shutdown)
	return nil
}

// Tracer returns a tracer with the name of what is traced.
func (e *Exports) Tracer(name string) trace.Tracer { return e.traces.Tracer(name) }

// Handler returns next with a span and a duration for every request, named after the route that answers it. A span continues the trace
// that the request's traceparent names.
func (e *Exports) Handler(next http.Handler) http.Handler {
	if len(e.stops) == 0 {
		return next
	}
	return otelhttp.NewHandler(next, "HTTP",
		otelhttp.WithTracerProvider(e.traces),
		otelhttp.WithMeterProvider(e.metrics),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			if r.Pattern == "" {
				return r.Method
			}
			return r.Pattern
		}),
	)
}

// Stop exports what was not exported yet and ends what Start has started. It takes 5 s at most; what fails is lost.
func (e *Exports) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for _, stop := range e.stops {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}
