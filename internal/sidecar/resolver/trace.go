package resolver

import (
	"strings"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
)

// headerTrace is the header by which a request says which trace it belongs to, https://www.w3.org/TR/trace-context/.
const headerTrace = "Traceparent"

// trace is the trace and the span of a caller, as text. Its zero value is none.
type trace struct{ id, span string }

// The lengths of the parts of a traceparent, which are separated by dashes: version, trace, span and flags.
const (
	traceAt, traceEnd = 3, 35
	spanAt, spanEnd   = 36, 52
	traceLength       = 55
)

// parseTrace reads the value of the header; what is malformed is no trace. Later versions of the format may be longer.
func parseTrace(value []byte) trace {
	text := string(value)
	if len(text) < traceLength || len(text) > traceLength && (text[:2] == "00" || text[traceLength] != '-') || text[:2] == "ff" {
		return trace{}
	}
	t := trace{id: text[traceAt:traceEnd], span: text[spanAt:spanEnd]}
	parts := text[:2] + t.id + t.span + text[spanEnd+1:traceLength]
	dashes := string([]byte{text[traceAt-1], text[traceEnd], text[spanEnd]})
	if dashes != "---" || strings.Trim(parts, "0123456789abcdef") != "" || strings.Trim(t.id, "0") == "" || strings.Trim(t.span, "0") == "" {
		return trace{}
	}
	return t
}

// record writes a debug line about an evaluation. Members have the names of OpenTelemetry's semantic conventions for feature flags. Nothing
// of the context is written, nor the value, which may be derived from it.
func (q *request) record(key []byte, r *eval.Result) {
	if !q.resolver.verbose {
		return
	}
	event := q.resolver.logger.Debug()
	q.describe(event)
	event.Bytes("feature_flag.key", key).Str("feature_flag.result.reason", strings.ToLower(string(r.Reason)))
	if r.Variant != nil {
		event.Str("feature_flag.result.variant", r.Variant.Name())
	}
	if r.Flag != nil {
		event.Uint64("feature_flag.version", r.Flag.Revision())
		if set := r.Flag.SetID(); set != "" {
			event.Str("feature_flag.set.id", set)
		}
	}
	if r.ErrorCode != "" {
		event.Str("error.type", strings.ToLower(string(r.ErrorCode)))
	}
	event.Msg("flag evaluated")
}

// recordAll writes a debug line about the evaluation of all selected flags.
func (q *request) recordAll(t *tally, remembered bool) {
	if !q.resolver.verbose {
		return
	}
	event := q.resolver.logger.Debug()
	q.describe(event)
	flags := 0
	for _, n := range t {
		flags += int(n)
	}
	event.Int("flags", flags).Bool("remembered", remembered).Msg("all flags evaluated")
}

// recordUnchanged writes a debug line about a client that has the answer already.
func (q *request) recordUnchanged() {
	if !q.resolver.verbose {
		return
	}
	event := q.resolver.logger.Debug()
	q.describe(event)
	event.Msg("bulk request answered: no flag changed for the client")
}

// describe adds to a line what concerns q as a whole.
func (q *request) describe(event *zerolog.Event) {
	if position := q.view.Position(); !position.IsZero() {
		event.Str("revision", position.Token().String())
	}
	if q.trace.id != "" {
		event.Str("trace_id", q.trace.id).Str("span_id", q.trace.span)
	}
}

// Trace returns the ids of the trace and of the span that the value of a traceparent names; they are empty if it is malformed.
func Trace(value []byte) (trace, span string) {
	t := parseTrace(value)
	return t.id, t.span
}
