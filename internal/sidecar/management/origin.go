package management

import (
	"net/http"

	"github.com/flagside/flagside/internal/origin"
)

// forBrowsers refuses what browsers send for pages of other sites, wherever the server listens, also what only reads: an image in any page
// could begin a profile.
func (s *Server) forBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !origin.HostAllowed(s.policy, r.Host):
			Refuse(w, http.StatusMisdirectedRequest, origin.WrongHost)
		case !origin.SiteAllowed(s.policy, r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin"), r.Host):
			Refuse(w, http.StatusForbidden, origin.WrongSite)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
