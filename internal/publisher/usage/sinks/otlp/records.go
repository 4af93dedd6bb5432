// Package otlp tells rows of usage as log records of OpenTelemetry, and sends them over HTTP.
//
// # Concurrency properties
//
// A Client is safe for concurrent use.
package otlp

import (
	"strconv"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

// The names of events. The first is that of the semantic conventions of OpenTelemetry, the others are ours.
const (
	ExposureEvent = "feature_flag.evaluation"
	CountEvent    = "flagside.evaluations"
	OutcomeEvent  = "flagside.outcome"
)

// The attributes of the semantic conventions of OpenTelemetry.
const (
	flagKey      = "feature_flag.key"
	flagVariant  = "feature_flag.result.variant"
	flagReason   = "feature_flag.result.reason"
	flagVersion  = "feature_flag.version"
	flagSubject  = "feature_flag.context.id"
	flagSet      = "feature_flag.set.id"
	flagProvider = "feature_flag.provider.name"
	errorType    = "error.type"
)

// provider is what these attributes call us.
const provider = "flagside"

// info is the severity of all records.
const info = logs.SeverityNumber_SEVERITY_NUMBER_INFO

// Records returns the records of rows about an environment.
func Records(environment string, t *rows.Tables) []*logs.LogRecord {
	var all []*logs.LogRecord
	for _, hour := range sorted(t.Counts) {
		for i := range t.Counts[hour] {
			all = append(all, count(environment, &t.Counts[hour][i]))
		}
	}
	for _, hour := range sorted(t.Exposures) {
		for i := range t.Exposures[hour] {
			all = append(all, exposure(environment, &t.Exposures[hour][i]))
		}
	}
	for _, hour := range sorted(t.Outcomes) {
		for i := range t.Outcomes[hour] {
			all = append(all, outcome(environment, &t.Outcomes[hour][i]))
		}
	}
	return all
}

// attributes are those of one record.
type attributes []*common.KeyValue

// text adds what is not empty.
func (a *attributes) text(key, value string) {
	if value != "" {
		*a = append(*a, text(key, value))
	}
}

func (a *attributes) number(key string, value int64) {
	*a = append(*a, &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: value}}})
}

func (a *attributes) truth(key string, value bool) {
	*a = append(*a, &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: value}}})
}

func (a *attributes) flag(environment, key, variant string, revision int64, epoch string) {
	a.text(flagKey, key)
	a.text(flagProvider, provider)
	a.text(flagSet, environment)
	a.text(flagVariant, variant)
	if revision > 0 {
		a.text(flagVersion, strconv.FormatInt(revision, 10))
	}
	a.text("flagside.epoch", epoch)
}

func (a *attributes) origin(o rows.Origin) {
	a.text("flagside.application.name", o.Application)
	a.text("flagside.application.version", o.Release)
	a.text("k8s.namespace.name", o.Namespace)
	a.text("k8s.pod.name", o.Pod)
	a.text("flagside.report", o.Boot+"/"+strconv.FormatInt(o.Number, 10))
}

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func record(name string, at, received int64, a attributes) *logs.LogRecord {
	return &logs.LogRecord{
		TimeUnixNano: nanoseconds(at), ObservedTimeUnixNano: nanoseconds(received), SeverityNumber: info, SeverityText: "INFO", EventName: name, Attributes: a,
	}
}

func nanoseconds(milliseconds int64) uint64 {
	return uint64(max(milliseconds, 0)) * uint64(time.Millisecond) // #nosec G115 -- it is not negative
}

func count(environment string, c *rows.Count) *logs.LogRecord {
	var a attributes
	a.flag(environment, c.Flag, c.Variant, c.Revision, c.Epoch)
	a.text(flagReason, strings.ToLower(c.Reason)) // as the conventions write OpenFeature's reasons and codes
	a.text(errorType, strings.ToLower(c.Code))
	a.number("flagside.rule", int64(c.Rule))
	a.truth("flagside.bulk", c.Bulk)
	a.number("flagside.evaluations.count", c.Evaluations)
	a.number("flagside.evaluations.milliseconds", c.Time-c.Began)
	a.origin(c.Origin)
	return record(CountEvent, c.Time, c.Received, a)
}

func exposure(environment string, e *rows.Exposure) *logs.LogRecord {
	var a attributes
	a.flag(environment, e.Flag, e.Variant, e.Revision, e.Epoch)
	a.text(flagSubject, e.Subject)
	a.number("flagside.rule", int64(e.Rule))
	a.origin(e.Origin)
	return record(ExposureEvent, e.Time, e.Received, a)
}

func outcome(environment string, o *rows.Outcome) *logs.LogRecord {
	var a attributes
	a.text(flagProvider, provider)
	a.text(flagSet, environment)
	a.text(flagSubject, o.Subject)
	a.text("flagside.outcome.name", o.Event)
	a = append(a, &common.KeyValue{Key: "flagside.outcome.value", Value: &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: o.Value}}})
	a.truth("flagside.outcome.error", o.Error)
	if len(o.Flags) > 0 {
		flags := &common.ArrayValue{}
		for _, key := range o.Flags {
			flags.Values = append(flags.Values, text("", key).GetValue())
		}
		a = append(a, &common.KeyValue{Key: "flagside.outcome.flags", Value: &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: flags}}})
	}
	a.origin(o.Origin)
	return record(OutcomeEvent, o.Time, o.Received, a)
}

// from returns who tells the records of an environment.
func from(environment string) *resource.Resource {
	return &resource.Resource{Attributes: []*common.KeyValue{text("service.name", provider), text("deployment.environment.name", environment)}}
}
