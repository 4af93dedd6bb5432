package main

import (
	"context"

	"go.opentelemetry.io/otel"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/internal/telemetry/opentelemetry"
)

// observe completes the options so that the publisher is traced and its metrics are exported, if the environment variables of
// OpenTelemetry ask for it. The returned function exports the rest.
func observe(ctx context.Context, t commandline.Terminal, o *publisher.Options) (stop func(), err error) {
	if o.Metrics, err = telemetry.NewRegistry("publisher"); err != nil {
		return nil, err
	}
	exports, err := opentelemetry.Start(ctx, opentelemetry.Options{
		Service: "flagside-publisher", Version: telemetry.Version(), Lookup: config.Lookup(t.Environ), Metrics: o.Metrics,
	})
	if err != nil {
		return nil, err
	}
	logger := o.Logger
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn().Err(err).Msg("traces or metrics not exported") }))
	o.Tracer, o.Observe = exports.Tracer("github.com/flagside/flagside"), exports.Handler
	return func() {
		if err := exports.Stop(); err != nil {
			logger.Warn().Err(err).Msg("last traces or metrics not exported")
		}
	}, nil
}
