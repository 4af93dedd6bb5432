// Package opentelemetry exports traces and metrics with the protocol of OpenTelemetry, as the environment variables of its specification
// say: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. It is for programs that can afford it: a sidecar
// cannot, because the exporters take as much memory as everything else in it.
package opentelemetry
