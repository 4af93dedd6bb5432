package admin

import (
	"errors"
	"maps"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// CheckOrigin lets only requests through that no browser sends for another site, and whose Host the policy allows, so that no page has rebound its
// own name to the address. Everything that listens on the admin address stands behind it.
func CheckOrigin(next http.Handler, policy *origin.Policy) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, newProblem(http.StatusForbidden, api.ProblemForeignOrigin, "A page of another site cannot make changes here: use a page of this origin, or a client that is not a browser."))
	}))
	protected := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !origin.HostAllowed(policy, r.Host) {
			writeProblem(w, newProblem(http.StatusMisdirectedRequest, api.ProblemForeignHost, capitalised(origin.WrongHost)))
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// ForReaders lets only requests through whose sender is permitted to read something, or anybody where anybody may read.
func ForReaders(o Options, next http.Handler) http.Handler {
	s := &server{options: o.withDefaults()}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, err := o.Authenticator.Authenticate(r)
		if errors.Is(err, access.ErrNoCredentials) && o.AnonymousReads {
			next.ServeHTTP(w, r)
			return
		}
		p := (*problem)(nil)
		if err != nil {
			p = s.unauthenticated(r, err)
		} else {
			p = s.refusedTo(r.Context(), access.Question{Principal: principal, Action: access.Read})
		}
		if p != nil {
			writeProblem(w, p)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// orProblem answers with problems where the router would answer with plain text: unknown paths and methods.
func orProblem(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := discard{header: http.Header{}}
		handler.ServeHTTP(&answer, r)
		if answer.status != http.StatusMethodNotAllowed {
			writeProblem(w, newProblem(http.StatusNotFound, api.ProblemNotFound, "There is nothing here: /openapi.json lists what there is."))
			return
		}
		allowed := answer.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, api.ProblemMethodNotAllowed, "Only "+allowed+" can be done here."))
	})
}

// discard keeps the status and the headers of an answer.
type discard struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (d *discard) Header() http.Header { return d.header }

// WriteHeader implements http.ResponseWriter.
func (d *discard) WriteHeader(status int) { d.status = status }

// Write implements http.ResponseWriter.
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func writeProblem(w http.ResponseWriter, p *problem) {
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.MarshalWrite(w, p) // fails only when the client is gone
}
