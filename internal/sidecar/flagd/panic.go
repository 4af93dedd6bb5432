package flagd

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/flagside/flagside/internal/telemetry"
)

// recoverPanic turns a panic into an error, so that one bad request does not end the process.
func (s *Server) recoverPanic(_ context.Context, spec connect.Spec, _ http.Header, v any) error {
	s.options.Metrics.panics.Inc()
	telemetry.OfPanic(s.options.Logger.Error(), v).Str("procedure", spec.Procedure).
		Msg("request failed because of a bug in the sidecar: please report it")
	return connect.NewError(connect.CodeInternal, errors.New("a bug in the sidecar: its log has the details"))
}
