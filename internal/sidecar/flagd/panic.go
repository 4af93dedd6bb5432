package flagd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"

	"connectrpc.com/connect"
)

// recoverPanic turns a panic into an error, so that one bad request does not end the process.
func (s *Server) recoverPanic(_ context.Context, spec connect.Spec, _ http.Header, v any) error {
	s.options.Metrics.panics.Inc()
	text := fmt.Sprintf("%T", v) // values other than errors of the Go runtime may contain parts of a request
	if err, ok := v.(interface{ RuntimeError() }); ok {
		text = fmt.Sprint(err)
	}
	s.options.Logger.Error().Str("panic", text).Str("procedure", spec.Procedure).Strs("stack", stack()).
		Msg("request failed because of a bug in the sidecar: please report it")
	return connect.NewError(connect.CodeInternal, errors.New("a mistake in the sidecar"))
}

// stack returns the functions and lines of the panicking goroutine.
func stack() []string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	var lines []string
	for {
		frame, more := frames.Next()
		lines = append(lines, frame.Function+" "+frame.File+":"+strconv.Itoa(frame.Line))
		if !more {
			return lines
		}
	}
}
