package flagd

import (
	"encoding/json"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/flagside/flagside/internal/origin"
)

// forBrowsers refuses what browsers send for pages that may not ask here. They speak HTTP/1.1 with ports that have no certificate, and where
// there is one they make sure that it has the name that the page uses, so HTTP/2 is not asked for a host.
func (s *Server) forBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.policy != nil && r.ProtoMajor <= 1 && !bySocket(r) {
			if status, sentence := origin.Refusal(s.policy, r.Host, r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")); status != 0 {
				refuse(w, status, sentence)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// bySocket reports whether a request came over a Unix socket, which no browser reaches.
func bySocket(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

// refuse answers with an error in the JSON of Connect, and closes the connection.
func refuse(w http.ResponseWriter, status int, message string) {
	body, _ := json.Marshal(map[string]string{"code": connect.CodePermissionDenied.String(), "message": message}) // strings have JSON
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
