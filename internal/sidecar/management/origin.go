package management

import (
	"net/http"

	"github.com/flagside/flagside/internal/origin"
)

// forBrowsers refuses what browsers send for pages of other sites, wherever the server listens, also what only reads: an image in any page
// could begin a profile.
func (s *Server) forBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, sentence := origin.Refusal(s.policy, r.Host, r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")); status != 0 {
			Refuse(w, status, sentence)
			return
		}
		next.ServeHTTP(w, r)
	})
}
