package flagd

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/flagside/flagside/internal/sidecar/tokens"
)

// errUnauthorized refuses a request without a valid token.
var errUnauthorized = errors.New("this needs a token: authorization with the scheme Bearer, or x-api-key")

// guarded lets requests to a service through that have a token, if one is needed. Refusals are in the protocol of the request.
func (s *Server) guarded(path string, service http.Handler) (pattern string, handler http.Handler) {
	known := s.options.Tokens
	if known == nil {
		return path, service
	}
	refusals := connect.NewErrorWriter(s.handlerOptions()...)
	return path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known.Admit([]byte(r.Header.Get("Authorization")), []byte(r.Header.Get(tokens.APIKeyHeader))) {
			service.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", tokens.Challenge)
		if !refusals.IsSupported(r) {
			http.Error(w, errUnauthorized.Error(), http.StatusUnauthorized)
			return
		}
		_ = refusals.Write(w, r, connect.NewError(connect.CodeUnauthenticated, errUnauthorized)) // a client that has gone needs no answer
	})
}
