package telemetry

import (
	"fmt"
	"runtime"

	"github.com/rs/zerolog"
)

// OfPanic adds to a log event what was recovered from a panic and where that happened, from the caller on. Only errors of the Go runtime are quoted:
// other values may contain parts of a request.
func OfPanic(e *zerolog.Event, v any) *zerolog.Event {
	text := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		text = err.Error()
	}
	return e.Str("panic", text).Strs("stack", stack())
}

// stack returns the functions and lines of the panicking goroutine.
func stack() []string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	var lines []string
	for {
		frame, more := frames.Next()
		lines = append(lines, fmt.Sprintf("%s %s:%d", frame.Function, frame.File, frame.Line))
		if !more {
			return lines
		}
	}
}
